#![allow(clippy::disallowed_methods)] // IO: a UDP relay that loses and delays.
//! A bad network between a client and the server, the same on every run: [`Netem`] decides, [`Relay`] obeys.

use super::media::Noise;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What becomes of each datagram. Decided by a seed and a count alone.
#[derive(Debug, Clone)]
pub struct Netem {
    noise: Noise,
    /// Share of datagrams that are lost.
    pub loss: f64,
    /// Each of the others is late by up to this, evenly distributed, so that they overtake each other.
    pub jitter: Duration,
}

impl Netem {
    pub fn new(seed: u64, loss: f64, jitter: Duration) -> Self {
        Self { noise: Noise(seed.max(1)), loss, jitter }
    }

    /// The delay of the next datagram; `None` where it is lost.
    pub fn pass(&mut self) -> Option<Duration> {
        let lost = self.noise.fraction() < self.loss;
        let delay = self.jitter.mul_f64(self.noise.fraction());
        (!lost).then_some(delay)
    }
}

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From a client to the server.
    Up,
    /// Back.
    Down,
}

/// A narrow place.
#[derive(Debug, Clone)]
pub struct Bottleneck {
    pub bits_per_second: u64,
    /// When what waits before it has passed.
    free_at: Instant,
}

impl Bottleneck {
    /// What waits longer than this is lost: the queue of a home router.
    const QUEUE: Duration = Duration::from_millis(250);
    /// Of IPv4 and UDP, in bytes.
    const HEADERS: u64 = 28;

    pub fn new(bits_per_second: u64, now: Instant) -> Self {
        Self { bits_per_second, free_at: now }
    }

    /// The delay of a datagram of so many bytes that comes now; `None` where it is lost.
    pub fn pass(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        let wait = self.free_at.saturating_duration_since(now);
        if wait > Self::QUEUE {
            return None;
        }
        let bits = 8 * (bytes as u64 + Self::HEADERS);
        let delay = wait + Duration::from_micros(1_000_000 * bits / self.bits_per_second);
        self.free_at = now + delay;
        Some(delay)
    }
}

/// A relay on loopback: what arrives there goes to the server through a socket for each client, and back.
pub struct Relay {
    pub address: SocketAddr,
    stop: CancellationToken,
}

impl Relay {
    /// Both directions lose and delay.
    pub async fn start(server: SocketAddr, mut netem: Netem) -> Self {
        Self::start_with(server, move |datagram| {
            netem.pass().map(|delay| (delay, datagram.to_vec())).into_iter().collect()
        })
        .await
    }

    /// Each datagram of either direction becomes what `fate` makes of it: copies with their delays, none where it is lost.
    pub async fn start_with(
        server: SocketAddr,
        mut fate: impl FnMut(&[u8]) -> Vec<(Duration, Vec<u8>)> + Send + 'static,
    ) -> Self {
        Self::start_by_way(server, move |_, datagram| fate(datagram)).await
    }

    /// Likewise, with a difference between the directions.
    pub async fn start_by_way(
        server: SocketAddr,
        fate: impl FnMut(Way, &[u8]) -> Vec<(Duration, Vec<u8>)> + Send + 'static,
    ) -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(run(socket, server, fate, stop.clone()));
        Self { address, stop }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A datagram on its way, and the socket that it leaves through.
type Leaving = (Arc<UdpSocket>, SocketAddr, Vec<u8>);

async fn run(
    front: Arc<UdpSocket>,
    server: SocketAddr,
    mut fate: impl FnMut(Way, &[u8]) -> Vec<(Duration, Vec<u8>)>,
    stop: CancellationToken,
) {
    let mut clients: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let (replies, mut from_server) = mpsc::channel::<(SocketAddr, Vec<u8>)>(4_096);
    // Keyed by time and count, so that equal times keep their order.
    let mut leaving: BTreeMap<(Instant, u64), Leaving> = BTreeMap::new();
    let mut count = 0;
    let mut buffer = vec![0; 2_048];
    loop {
        let next = leaving.first_key_value().map(|((at, _), _)| *at);
        let (way, through, to, bytes) = tokio::select! {
            () = stop.cancelled() => return,
            () = async { tokio::time::sleep_until(next.unwrap_or_else(Instant::now).into()).await }, if next.is_some() => {
                if let Some((_, (through, to, bytes))) = leaving.pop_first() {
                    let _ = through.send_to(&bytes, to).await;
                }
                continue;
            }
            Ok((bytes, from)) = front.recv_from(&mut buffer) => {
                let back = match clients.get(&from) {
                    Some(back) => Arc::clone(back),
                    None => {
                        let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                        tokio::spawn(listen(Arc::clone(&back), from, replies.clone(), stop.clone()));
                        clients.insert(from, Arc::clone(&back));
                        back
                    }
                };
                (Way::Up, back, server, buffer[..bytes].to_vec())
            }
            Some((client, bytes)) = from_server.recv() => (Way::Down, Arc::clone(&front), client, bytes),
        };
        for (delay, bytes) in fate(way, &bytes) {
            count += 1;
            leaving.insert((Instant::now() + delay, count), (Arc::clone(&through), to, bytes));
        }
    }
}

async fn listen(
    back: Arc<UdpSocket>,
    client: SocketAddr,
    replies: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    stop: CancellationToken,
) {
    let mut buffer = vec![0; 2_048];
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Ok((bytes, _)) = back.recv_from(&mut buffer) => {
                if replies.send((client, buffer[..bytes].to_vec())).await.is_err() {
                    return;
                }
            }
        }
    }
}
