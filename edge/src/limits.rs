//! Every bound of the edge, in one block, each with its unit and reason.

use std::time::Duration;

/// What the edge grants. [`Limits::default`] suits a machine of a few cores.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's header block. A token in the path is at most 2 KB.
    pub header_bytes: usize,
    /// For a header block to come, from its first byte.
    pub header_time: Duration,
    /// For a TLS handshake.
    pub handshake_time: Duration,
    /// For a connection without a request: players keep theirs over a segment's length, and pages over a pause.
    pub idle_time: Duration,
    /// For a connection with a request whose peer takes no byte. Longer than `wait`, or a blocking request would be cut
    /// by it.
    pub stall_time: Duration,
    /// Connections in all: each costs 16 KB and a file descriptor.
    pub connections: usize,
    /// Connections per address (an IPv6 /64 counts as one): a large office behind one address fits.
    pub connections_per_address: usize,
    /// Requests at once on one HTTP/2 connection.
    pub h2_streams: u32,
    /// Requests given up before their answer, less those that had theirs, after which a connection is closed: a player
    /// gives up a few on changing rendition, a rapid reset (CVE-2023-44487) gives up all.
    pub h2_resets: usize,
    /// Fetches from the origin at once, blocking ones included: one per object and version over all live streams.
    pub fills: usize,
    /// Bytes of one object. `fills` times this is the most that fetches under way can hold.
    pub object_bytes: u64,
    /// Bytes kept in memory.
    pub cache_bytes: u64,
    /// For a request to wait for the head of its answer. The origin holds a blocking request for 3 target durations (6 s
    /// where that is 2 s, 18 s where it is 6 s): a little longer than that.
    pub wait: Duration,
    /// Between two pieces of a body from the origin.
    pub fill_progress: Duration,
    /// For open requests to finish after a shutdown began.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 16 << 10,
            header_time: Duration::from_secs(10),
            handshake_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            stall_time: Duration::from_secs(30),
            connections: 16_384,
            connections_per_address: 2048,
            h2_streams: 128,
            h2_resets: 200,
            fills: 2048,
            object_bytes: 64 << 20,
            cache_bytes: 1 << 30,
            wait: Duration::from_secs(20),
            fill_progress: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}
