//! What an operator may set, with every default in one place.

use crate::ice_servers::IceServer;
use crate::picture_size::PictureLimits;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// UDP and TCP port of all WebRTC.
pub const DEFAULT_PORT: u16 = 8_189;
/// Sessions at one time. A publisher of 1.5 Mbit/s costs about 1 % of a core and 1 MB.
pub const DEFAULT_MAX_SESSIONS: usize = 1_000;
/// Sessions of one room at one time. Sixteen are seen and all are heard; a packager of the default `memory_mb` has room for several hundred, and whoever
/// gives out tokens of one room must not be able to fill it.
pub const DEFAULT_MAX_SESSIONS_PER_ROOM: usize = 64;
/// Offers that are answered at one time; each costs a few milliseconds of CPU, mostly SDP.
pub const DEFAULT_CONCURRENT_NEGOTIATIONS: usize = 4;
/// Offers a second, in the long run: at 3 ms of CPU each, 15 % of a core.
pub const DEFAULT_OFFERS_PER_SECOND: u32 = 50;
/// Offers at once: a class of students that joins on the hour.
pub const DEFAULT_OFFER_BURST: u32 = 200;
/// Offers a second of one peer, in the long run: a client that reconnects in a loop, and no more.
pub const DEFAULT_PEER_OFFERS_PER_SECOND: u32 = 1;
/// Offers of one peer at once: a person who reloads the page, and changes devices.
pub const DEFAULT_PEER_OFFER_BURST: u32 = 10;
/// PATCH and DELETE a second of one peer, in the long run. A restart counts as an offer too, which it costs as much as.
pub const DEFAULT_PEER_CHANGES_PER_SECOND: u32 = 5;
/// PATCH and DELETE of one peer at once: a client that trickles sends each of some 20 candidates by itself.
pub const DEFAULT_PEER_CHANGE_BURST: u32 = 50;

/// How a [`crate::driver::Stage`] runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the UDP socket and the TCP listener are bound. `[::]` takes IPv4 too; port 0 picks one.
    pub listen: SocketAddr,
    /// Addresses that answers name, for a server behind NAT. Empty: the bound address, or those of all interfaces.
    pub announce: Vec<IpAddr>,
    /// Servers that answers to OPTIONS with a token and to offers recommend (`Link: rel="ice-server"`, RFC 9725 section 4.6).
    pub ice_servers: Vec<IceServer>,
    /// The largest picture that is taken.
    pub pictures: PictureLimits,
    /// Sessions at one time; more are refused with 503.
    pub max_sessions: usize,
    /// Sessions of one room at one time, a screen beside a camera being one of its own; more are refused with 503, but for one that takes the place of another.
    pub max_sessions_per_room: usize,
    /// Offers answered at one time; more wait in line for a moment and are then refused with 503.
    pub concurrent_negotiations: usize,
    /// Offers a second in the long run; more are refused with 503.
    pub offers_per_second: u32,
    /// Offers at once above that rate.
    pub offer_burst: u32,
    /// Offers a second of one peer in the long run, so that one cannot use up everybody's; more are refused with 429.
    pub peer_offers_per_second: u32,
    /// Offers of one peer at once above that rate.
    pub peer_offer_burst: u32,
    /// PATCH, DELETE and OPTIONS with a token a second of one peer in the long run; more are refused with 429.
    pub peer_changes_per_second: u32,
    /// Those of one peer at once above that rate.
    pub peer_change_burst: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), DEFAULT_PORT),
            announce: Vec::new(),
            ice_servers: Vec::new(),
            pictures: PictureLimits::default(),
            max_sessions: DEFAULT_MAX_SESSIONS,
            max_sessions_per_room: DEFAULT_MAX_SESSIONS_PER_ROOM,
            concurrent_negotiations: DEFAULT_CONCURRENT_NEGOTIATIONS,
            offers_per_second: DEFAULT_OFFERS_PER_SECOND,
            offer_burst: DEFAULT_OFFER_BURST,
            peer_offers_per_second: DEFAULT_PEER_OFFERS_PER_SECOND,
            peer_offer_burst: DEFAULT_PEER_OFFER_BURST,
            peer_changes_per_second: DEFAULT_PEER_CHANGES_PER_SECOND,
            peer_change_burst: DEFAULT_PEER_CHANGE_BURST,
        }
    }
}
