#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: holds the one UDP socket and the one TCP listener of all peers.
//! One UDP port and one TCP port for all peers.
//!
//! The `webrtc` crate binds sockets of its own for each connection. Each connection is therefore given a runtime
//! ([`Port::runtime`]) whose sockets are virtual: what they send goes out of the shared socket, and what they receive
//! is what [`Demux`] found to be theirs. A datagram belongs to the peer whose username fragment its STUN check names
//! and proves with MESSAGE-INTEGRITY; from then on its source address is that peer's. Everything else is dropped
//! unanswered, so that the port neither reflects nor amplifies.

use crate::port::{ADDRESSES_PER_PEER, Port};
use crate::stun;
use bytes::Bytes;
use rtc::crypto::RTCCryptoProvider;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::Message;
use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use webrtc::runtime::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};

/// Bytes of one receive buffer: the most that the kernel coalesces into one (UDP GRO).
const RECEIVE_BUFFER_BYTES: usize = 65_536;
/// Wanted size of the shared socket's receive buffer: 100 ms of 100 peers at 2.5 Mbit/s is 3 MB. The kernel caps it
/// at `net.core.rmem_max`.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// Commands that may wait for the demultiplexer: registrations are awaited, so this bounds those under way.
const COMMANDS: usize = 256;
/// TCP connections at one time, all peers together.
const TCP_CONNECTIONS: usize = 1_024;
/// A TCP client must send its first STUN check within this.
const TCP_FIRST_FRAME_WAIT: Duration = Duration::from_secs(5);
/// The longest first frame over TCP: a STUN check is about 120 bytes.
const TCP_FIRST_FRAME_BYTES: usize = 1_500;
/// Entries of peers that are gone leave the table at this interval.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// The ICE credentials of one side (RFC 8445 section 5.3).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) pwd: String,
}

/// The shared sockets. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mux {
    udp: Arc<SharedUdp>,
    commands: mpsc::Sender<Command>,
}

enum Command {
    /// From now on, checks with these credentials belong to this port.
    Register { credentials: Credentials, port: Weak<Port>, done: oneshot::Sender<()> },
    /// Whose is this first frame of a TCP connection?
    Route { from: SocketAddr, frame: Bytes, to: oneshot::Sender<Option<Arc<Port>>> },
}

impl Mux {
    /// Binds UDP and TCP at the same address; port 0 picks one that is free for both. The tasks end with `shutdown`.
    pub(crate) async fn bind(
        address: SocketAddr,
        crypto: Arc<dyn RTCCryptoProvider>,
        shutdown: CancellationToken,
    ) -> io::Result<Self> {
        let (udp, tcp) = bind_both(address).await?;
        let udp = Arc::new(SharedUdp::new(udp)?);
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let demux = Demux { udp: Arc::clone(&udp), crypto, by_ufrag: HashMap::new(), by_address: HashMap::new() };
        tokio::spawn(demux.run(inbox, shutdown.clone()));
        tokio::spawn(accept_loop(tcp, commands.clone(), shutdown));
        Ok(Self { udp, commands })
    }

    /// Where the sockets are bound.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.udp.local_addr
    }

    /// A virtual port for one connection. It leaves the tables by being dropped.
    pub(crate) fn open_port(&self) -> Arc<Port> {
        Port::new(Arc::clone(&self.udp))
    }

    /// Makes checks with `credentials` reach `port`. Returns when they do: only then may the answer leave.
    pub(crate) async fn register(&self, credentials: Credentials, port: &Arc<Port>) {
        let (done, registered) = oneshot::channel();
        let command = Command::Register { credentials, port: Arc::downgrade(port), done };
        if self.commands.send(command).await.is_ok() {
            // An error means that the demultiplexer has shut down: then nothing reaches anybody.
            let _ = registered.await;
        }
    }
}

/// Binds UDP and TCP to one port. With port 0 the kernel picks for UDP, and somebody may have that port for TCP.
async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    /// The ephemeral range is rarely more than a few percent taken.
    const ATTEMPTS: usize = 16;
    let mut last_error = None;
    for _ in 0..ATTEMPTS {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if address.port() == 0 => last_error = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last_error.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// The one UDP socket, with the batching state that goes with it.
pub(crate) struct SharedUdp {
    socket: UdpSocket,
    state: UdpSocketState,
    local_addr: SocketAddr,
}

impl SharedUdp {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // Best effort: a smaller buffer only loses packets earlier when the machine is overloaded.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER_BYTES);
        let local_addr = socket.local_addr()?;
        Ok(Self { socket, state, local_addr })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    pub(crate) fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        loop {
            std::task::ready!(self.socket.poll_send_ready(cx))?;
            let sent = self.socket.try_io(Interest::WRITABLE, || {
                self.state.try_send(UdpSockRef::from(&self.socket), transmit).map(|()| transmit.contents.len())
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    async fn receive(&self, buffers: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> io::Result<usize> {
        loop {
            self.socket.readable().await?;
            let received = self
                .socket
                .try_io(Interest::READABLE, || self.state.recv(UdpSockRef::from(&self.socket), buffers, meta));
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return received,
            }
        }
    }

    /// A socket bound to `[::]` hears IPv4 as `::ffff:a.b.c.d`; peers are known by their plain address.
    pub(crate) fn to_wire(&self, peer: SocketAddr) -> SocketAddr {
        match (self.local_addr, peer.ip()) {
            (SocketAddr::V6(_), IpAddr::V4(ip)) => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), peer.port()),
            _ => peer,
        }
    }
}

fn from_wire(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// Owner of the routing tables, and the only reader of the shared socket.
struct Demux {
    udp: Arc<SharedUdp>,
    crypto: Arc<dyn RTCCryptoProvider>,
    by_ufrag: HashMap<String, Registration>,
    by_address: HashMap<SocketAddr, Weak<Port>>,
}

struct Registration {
    pwd: String,
    port: Weak<Port>,
    /// Oldest first, so that a peer that roams keeps the newest.
    addresses: VecDeque<SocketAddr>,
}

impl Demux {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>, shutdown: CancellationToken) {
        let mut memory = vec![0; BATCH_SIZE * RECEIVE_BUFFER_BYTES];
        let mut meta = vec![RecvMeta::default(); BATCH_SIZE];
        let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
        let udp = Arc::clone(&self.udp);
        loop {
            let mut buffers: Vec<IoSliceMut<'_>> =
                memory.chunks_mut(RECEIVE_BUFFER_BYTES).map(IoSliceMut::new).collect();
            tokio::select! {
                // Registrations first: the answer that names them may already be on its way.
                biased;
                () = shutdown.cancelled() => return,
                Some(command) = inbox.recv() => self.obey(command),
                received = udp.receive(&mut buffers, &mut meta) => match received {
                    Ok(messages) => {
                        for (buffer, meta) in buffers.iter().zip(&meta).take(messages) {
                            self.deliver(&buffer[..meta.len], meta);
                        }
                    }
                    // An ICMP error of one peer surfaces on the shared socket; it ends nobody.
                    Err(error) => tracing::debug!(%error, "receive on the WebRTC port"),
                },
                _ = sweep.tick() => self.sweep(),
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Register { credentials, port, done } => {
                let registration = Registration { pwd: credentials.pwd, port, addresses: VecDeque::new() };
                self.by_ufrag.insert(credentials.ufrag, registration);
                let _ = done.send(());
            }
            Command::Route { from, frame, to } => {
                let _ = to.send(self.check_owner(from, &frame));
            }
        }
    }

    fn deliver(&mut self, bytes: &[u8], meta: &RecvMeta) {
        let from = from_wire(meta.addr);
        for datagram in bytes.chunks(meta.stride.max(1)) {
            let Some(port) = self.owner(from, datagram) else { continue };
            if self.udp.local_addr.ip().is_unspecified()
                && stun::is_stun(datagram)
                && let Some(local) = meta.dst_ip
            {
                port.reply_to_from(from, local);
            }
            port.deliver(from, datagram);
        }
    }

    fn owner(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Arc<Port>> {
        let known = self.by_address.get(&from).and_then(Weak::upgrade);
        let Some(ufrag) = stun::receiver_ufrag(datagram) else { return known };
        let registration = self.by_ufrag.get(ufrag)?;
        match known {
            // The connection itself checks the integrity of what it answers.
            Some(port) if Weak::ptr_eq(&registration.port, &Arc::downgrade(&port)) => Some(port),
            _ => {
                let port = self.check_owner(from, datagram)?;
                self.claim(from, datagram, &port);
                Some(port)
            }
        }
    }

    /// The port whose credentials sign this check. Proof is asked for because who merely knows a fragment could
    /// otherwise draw another peer's address to a port of their choice.
    fn check_owner(&self, from: SocketAddr, datagram: &[u8]) -> Option<Arc<Port>> {
        let registration = self.by_ufrag.get(stun::receiver_ufrag(datagram)?)?;
        let mut message = Message { raw: datagram.to_vec(), ..Message::default() };
        let checked = message
            .decode()
            .and_then(|()| MessageIntegrity::check(&mut message, registration.pwd.as_bytes(), self.crypto.crypto()));
        match checked {
            Ok(()) => registration.port.upgrade(),
            Err(error) => {
                tracing::debug!(%from, %error, "STUN check with a known ufrag but without its password");
                None
            }
        }
    }

    fn claim(&mut self, from: SocketAddr, datagram: &[u8], port: &Arc<Port>) {
        let registration = stun::receiver_ufrag(datagram).and_then(|ufrag| self.by_ufrag.get_mut(ufrag));
        let Some(registration) = registration else { return };
        registration.addresses.push_back(from);
        if registration.addresses.len() > ADDRESSES_PER_PEER
            && let Some(oldest) = registration.addresses.pop_front()
        {
            self.by_address.remove(&oldest);
        }
        self.by_address.insert(from, Arc::downgrade(port));
    }

    fn sweep(&mut self) {
        self.by_ufrag.retain(|_, registration| registration.port.strong_count() > 0);
        self.by_address.retain(|_, port| port.strong_count() > 0);
    }
}

/// Accepts TCP connections for all peers and hands each to the peer that its first STUN check names (RFC 6544
/// section 4.4, passive candidates).
async fn accept_loop(listener: TcpListener, commands: mpsc::Sender<Command>, shutdown: CancellationToken) {
    let slots = Arc::new(Semaphore::new(TCP_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: going round at once would spin on it.
                tracing::warn!(%error, "accept on the WebRTC port");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        let commands = commands.clone();
        tokio::spawn(async move {
            let from = from_wire(from);
            let routed = tokio::time::timeout(TCP_FIRST_FRAME_WAIT, route_stream(stream, from, &commands)).await;
            if let Ok(Some((port, stream, first_frame))) = routed {
                port.deliver_stream(stream, from, first_frame, slot);
            }
        });
    }
}

/// Reads the first RFC 4571 frame and finds its owner. The bytes are kept: the connection reads them again.
async fn route_stream(
    mut stream: TcpStream,
    from: SocketAddr,
    commands: &mpsc::Sender<Command>,
) -> Option<(Arc<Port>, TcpStream, Bytes)> {
    let length = stream.read_u16().await.ok()?;
    if usize::from(length) > TCP_FIRST_FRAME_BYTES {
        return None;
    }
    let mut framed = vec![0; 2 + usize::from(length)];
    framed[..2].copy_from_slice(&length.to_be_bytes());
    stream.read_exact(&mut framed[2..]).await.ok()?;
    let framed = Bytes::from(framed);
    let (to, owner) = oneshot::channel();
    commands.send(Command::Route { from, frame: framed.slice(2..), to }).await.ok()?;
    let port = owner.await.ok()??;
    let _ = stream.set_nodelay(true);
    Some((port, stream, framed))
}
