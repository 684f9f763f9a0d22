#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: sends through the shared socket, spawns for the crate.
//! What one connection of the `webrtc` crate has in place of sockets: see [`crate::mux`].

use crate::hello::{Hello, Hellos};
use crate::mux::SharedUdp;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

/// Datagrams that may wait for one peer's task: a burst of a key frame at 1,200 bytes each is about 100, so this
/// is several, and at most 750 KB per peer.
const DATAGRAMS_PER_PEER: usize = 512;
/// TCP connections that may wait for one peer to accept them; a browser opens one.
const STREAMS_PER_PEER: usize = 4;
/// Source addresses that one peer may hold: a browser tries each of its interfaces and NAT mappings.
pub(crate) const ADDRESSES_PER_PEER: usize = 16;
/// A TCP peer that takes nothing for this long is cut off: until then it holds up only its own task.
const TCP_WRITE_WAIT: Duration = Duration::from_secs(5);
/// What one connection has in place of sockets.
pub(crate) struct Port {
    udp: Arc<SharedUdp>,
    v4: Queue<(SocketAddr, Bytes)>,
    v6: Queue<(SocketAddr, Bytes)>,
    streams: Queue<(SharedTcp, SocketAddr)>,
    /// On a machine with several addresses and a wildcard bind: which of them a peer knows us by.
    reply_from: Mutex<VecDeque<(SocketAddr, IpAddr)>>,
    /// What the connection's DTLS server has been handed.
    hellos: Mutex<Hellos>,
    /// Datagrams that found the queue full.
    dropped: AtomicU64,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

impl Port {
    pub(crate) fn new(udp: Arc<SharedUdp>) -> Arc<Self> {
        Arc::new(Self {
            udp,
            v4: Queue::with_bound(DATAGRAMS_PER_PEER),
            v6: Queue::with_bound(DATAGRAMS_PER_PEER),
            streams: Queue::with_bound(STREAMS_PER_PEER),
            reply_from: Mutex::new(VecDeque::new()),
            hellos: Mutex::default(),
            dropped: AtomicU64::new(0),
        })
    }

    /// A datagram that is this connection's. Never waits: what finds the queue full is counted and lost.
    pub(crate) fn deliver(&self, from: SocketAddr, datagram: &[u8]) {
        let queue = if from.is_ipv4() { &self.v4 } else { &self.v6 };
        if queue.sender.try_send((from, Bytes::copy_from_slice(datagram))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A TCP connection that is this connection's, with the frame that said so.
    pub(crate) fn deliver_stream(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        first_frame: Bytes,
        slot: OwnedSemaphorePermit,
    ) {
        let shared = SharedTcp { stream, peer: from, prefetched: Mutex::new(first_frame), _slot: slot };
        let _ = self.streams.sender.try_send((shared, from));
    }

    /// The runtime that makes a connection use this port. `ended` is called when none of its tasks runs any more, whatever ended the last.
    pub(crate) fn runtime(self: &Arc<Self>, ended: impl Fn() + Send + Sync + 'static) -> Arc<dyn Runtime> {
        let tasks = Arc::new(Tasks { running: AtomicUsize::new(0), ended: Box::new(ended) });
        Arc::new(PortRuntime { port: Arc::clone(self), tasks })
    }

    /// Addresses that the connection is told to bind: its virtual sockets, one per family that can arrive.
    pub(crate) fn virtual_addresses(&self) -> Vec<SocketAddr> {
        let mut addresses = vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)];
        if self.udp.local_addr().is_ipv6() {
            addresses.push(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0));
        }
        addresses
    }

    /// Datagrams that were lost because the connection's task did not keep up.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Answers to `peer` leave from `local`, where it knows us.
    pub(crate) fn reply_to_from(&self, peer: SocketAddr, local: IpAddr) {
        let mut reply_from = self.reply_from.lock().unwrap_or_else(PoisonError::into_inner);
        reply_from.retain(|(known, _)| *known != peer);
        if reply_from.len() == ADDRESSES_PER_PEER {
            reply_from.pop_front();
        }
        reply_from.push_back((peer, local));
    }

    fn source_for(&self, peer: SocketAddr) -> Option<IpAddr> {
        let reply_from = self.reply_from.lock().unwrap_or_else(PoisonError::into_inner);
        reply_from.iter().find(|(known, _)| *known == peer).map(|(_, local)| *local)
    }
}

/// A bounded queue whose receiver is shared by the futures that one connection's task polls one at a time.
struct Queue<T> {
    sender: mpsc::Sender<T>,
    receiver: Mutex<mpsc::Receiver<T>>,
}

impl<T> Queue<T> {
    fn with_bound(bound: usize) -> Self {
        let (sender, receiver) = mpsc::channel(bound);
        Self { sender, receiver: Mutex::new(receiver) }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).poll_recv(cx)
    }
}

/// Tokio, except that sockets are virtual and no connection is ever opened from here.
struct PortRuntime {
    port: Arc<Port>,
    tasks: Arc<Tasks>,
}

impl fmt::Debug for PortRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortRuntime").field("port", &self.port).finish_non_exhaustive()
    }
}

/// The tasks of one connection.
struct Tasks {
    running: AtomicUsize,
    ended: Box<dyn Fn() + Send + Sync>,
}

/// One of them, until it has ended or panicked.
struct Task(Arc<Tasks>);

impl Task {
    fn begin(tasks: &Arc<Tasks>) -> Self {
        tasks.running.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(tasks))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::Relaxed) == 1 {
            (self.0.ended)();
        }
    }
}

impl Runtime for PortRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        let task = Task::begin(&self.tasks);
        TokioRuntime.spawn(Box::pin(async move {
            let _until_it_ends = task;
            future.await;
        }))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // The connection knows its socket by this address; nothing is ever bound there.
        let local_addr = socket.local_addr()?;
        Ok(Arc::new(VirtualUdp { port: Arc::clone(&self.port), local_addr }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        let local_addr = listener.local_addr()?;
        Ok(Arc::new(VirtualTcp { port: Arc::clone(&self.port), local_addr }))
    }

    /// Refused: a remote candidate would otherwise make this server connect to an address of a stranger's choice.
    fn connect_tcp<'a>(
        &'a self,
        _remote_addr: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        Box::pin(async { Err(io::ErrorKind::PermissionDenied.into()) })
    }

    /// Refused: names in candidates are not looked up.
    fn resolve_host<'a>(
        &'a self,
        _host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(async { Err(io::ErrorKind::PermissionDenied.into()) })
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn name(&self) -> &'static str {
        "tokio, shared port"
    }
}

#[derive(Debug)]
struct VirtualUdp {
    port: Arc<Port>,
    local_addr: SocketAddr,
}

impl AsyncUdpSocket for VirtualUdp {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local_addr)
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let shared = &self.port.udp;
        let outgoing = Transmit {
            destination: shared.to_wire(transmit.destination),
            ecn: transmit.ecn,
            contents: transmit.contents,
            segment_size: transmit.segment_size,
            src_ip: self.port.source_for(transmit.destination),
        };
        shared.poll_send(cx, &outgoing)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let queue = if self.local_addr.is_ipv4() { &self.port.v4 } else { &self.port.v6 };
        let (from, datagram) = loop {
            let Some((from, datagram)) = std::task::ready!(queue.poll(cx)) else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            // Nearly everything is media, and takes no lock.
            let repeated = Hello::read(&datagram).is_some()
                && self.port.hellos.lock().unwrap_or_else(PoisonError::into_inner).is_repeat(from, &datagram);
            if !repeated {
                break (from, datagram);
            }
        };
        let (Some(buffer), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
        };
        let bytes = datagram.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&datagram[..bytes]);
        *meta = RecvMeta::default();
        meta.addr = from;
        meta.len = bytes;
        meta.stride = bytes.max(1);
        Poll::Ready(Ok(1))
    }
}

#[derive(Debug)]
struct VirtualTcp {
    port: Arc<Port>,
    local_addr: SocketAddr,
}

impl AsyncTcpListener for VirtualTcp {
    fn accept<'a>(
        &'a self,
    ) -> Pin<Box<dyn Future<Output = io::Result<(Arc<dyn AsyncTcpStream>, SocketAddr)>> + Send + 'a>> {
        Box::pin(async move {
            let accepted = std::future::poll_fn(|cx| self.port.streams.poll(cx)).await;
            let (shared, from) = accepted.ok_or(io::ErrorKind::NotConnected)?;
            Ok((Arc::new(VirtualStream { shared, local_addr: self.local_addr }) as Arc<dyn AsyncTcpStream>, from))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local_addr)
    }
}

struct SharedTcp {
    stream: TcpStream,
    peer: SocketAddr,
    /// The first frame, which was read to find the owner.
    prefetched: Mutex<Bytes>,
    /// Gives the place among all TCP connections back.
    _slot: OwnedSemaphorePermit,
}

/// A TCP connection under the address that its owner believes to listen at.
struct VirtualStream {
    shared: SharedTcp,
    local_addr: SocketAddr,
}

impl fmt::Debug for VirtualStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualStream").field("peer", &self.shared.peer).finish_non_exhaustive()
    }
}

impl AsyncTcpStream for VirtualStream {
    fn read<'a, 'b>(&'a self, buf: &'b mut [u8]) -> Pin<Box<dyn Future<Output = io::Result<usize>> + Send + 'b>>
    where
        'a: 'b,
    {
        Box::pin(async move {
            {
                let mut prefetched = self.shared.prefetched.lock().unwrap_or_else(PoisonError::into_inner);
                if !prefetched.is_empty() {
                    let bytes = prefetched.len().min(buf.len());
                    prefetched.copy_to_slice(&mut buf[..bytes]);
                    return Ok(bytes);
                }
            }
            loop {
                self.shared.stream.readable().await?;
                match self.shared.stream.try_read(buf) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
        })
    }

    fn write_all<'a, 'b>(&'a self, buf: &'b [u8]) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'b>>
    where
        'a: 'b,
    {
        let write = async move {
            let mut rest = buf;
            while !rest.is_empty() {
                self.shared.stream.writable().await?;
                match self.shared.stream.try_write(rest) {
                    Ok(written) => rest = &rest[written..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        Box::pin(async move { tokio::time::timeout(TCP_WRITE_WAIT, write).await? })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local_addr)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.shared.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::Mux;
    use crate::peer::crypto;
    use tokio_util::sync::CancellationToken;

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_last_task_dies_is_told_of_once() {
        let shutdown = CancellationToken::new();
        let listen = "127.0.0.1:0".parse().expect("an address");
        let mux = Mux::bind(listen, crypto().expect("a provider"), shutdown.clone()).await.expect("a port");
        let (told, mut ends) = mpsc::channel(2);
        let runtime = mux.open_port().runtime(move || told.try_send(()).expect("room for two"));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        runtime.spawn(Box::pin(async {
            let _stopped = stopped.await;
        }));
        runtime.spawn(Box::pin(async { panic!("on a stranger's bytes") }));
        assert!(tokio::time::timeout(Duration::from_millis(50), ends.recv()).await.is_err(), "one still works");
        drop(stop);
        ends.recv().await.expect("its end");
        drop(runtime);
        assert!(ends.recv().await.is_none(), "once");
        shutdown.cancel();
    }
}
