#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: starts child processes and speaks with them over sockets.
//! The child process of a live stream: what starts it, and what runs in it.
//!
//! A child inherits two connected Unix sockets. On the first, frames and commands come in and what the packager says goes out: postcard values, each
//! behind its length as a 32-bit little-endian integer. On the second it is an HTTP/1.1 client of the origin's publishing service. It has
//! nothing else (see [`crate::sandbox`]).

use crate::sandbox::{self, SandboxError};
use crate::socket::{self, ReadHalf, WriteHalf};
use bytes::Bytes;
use footlight_packager::driver::{self, DriverError, FromPackager, Start, ToPackager};
use footlight_packager::publish::Publisher;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming as IncomingBody;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// Longest message: a key frame of a large picture has a few hundred kilobytes.
const MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// Threads that a child may have: its decoders' and encoders' are some forty for sixteen peers and eight rungs. The kernel counts threads by user, which
/// would be all children together with the server.
const THREADS: usize = 512;
/// What is read at once: a key frame of 720p and all else.
const READ_BYTES: usize = 64 * 1024;
/// Messages between the socket and the packager, each way.
pub const MESSAGES: usize = 256;

/// What a child is told first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Begin {
    /// The stream.
    pub start: Start,
    /// Bound of the child's address space, in bytes.
    pub memory_bytes: u64,
}

/// Why there is no child, or why it ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The operating system refused: the operator's.
    #[error("starting a packager's process: {0}")]
    Spawn(std::io::Error),
    /// The socket between the processes failed: the other one has ended.
    #[error("the packager's socket: {0}")]
    Socket(#[from] std::io::Error),
    /// Bytes that are no message: a bug.
    #[error("the packager's socket: {0}")]
    Message(#[from] postcard::Error),
    /// The socket closed before anything was said.
    #[error("the packager's socket closed at once")]
    Silent,
    /// The process ended without having said that the stream did.
    #[error("the packager's process ended: {0}")]
    Died(std::process::ExitStatus),
    /// It has more threads than any ladder needs.
    #[error("the packager's process has {0} threads, and may have {THREADS}")]
    Threads(usize),
    /// Nothing was heard of it.
    #[error("the packager said nothing for {0:?}")]
    Hung(std::time::Duration),
    /// It was told to stop and did not.
    #[error("the packager did not end its stream within {0:?}")]
    NeverEnds(std::time::Duration),
    /// Stage has ended, so no frames come.
    #[error("stage has ended")]
    NoStage,
    /// The fences could not be put up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The packager gave up.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// A started child.
pub struct Worker {
    /// The process; killed when dropped.
    child: Child,
    /// Frames and commands. Full while the child does not read.
    pub to: mpsc::Sender<ToPackager>,
    messages: Incoming<FromPackager>,
}

impl Worker {
    /// The child's next message. Cancel safe. With each report, which comes each second, its threads are counted.
    pub async fn next(&mut self) -> Result<FromPackager, WorkerError> {
        match self.messages.next().await {
            Some(Ok(FromPackager::Report(report))) => match self.threads() {
                Some(threads) if threads > THREADS => Err(WorkerError::Threads(threads)),
                _ => Ok(FromPackager::Report(report)),
            },
            Some(message) => message,
            None => Err(WorkerError::Died(self.child.wait().await?)),
        }
    }

    /// `None` where it has ended, or nobody may know.
    fn threads(&self) -> Option<usize> {
        Some(std::fs::read_dir(format!("/proc/{}/task", self.child.id()?)).ok()?.count())
    }
}

fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().little_endian().length_field_length(4).max_frame_length(MESSAGE_BYTES).new_codec()
}

/// The half of a socket that messages come in by.
struct Incoming<T>(FramedRead<ReadHalf, LengthDelimitedCodec>, PhantomData<T>);

/// The half that they go out by.
struct Outgoing(FramedWrite<WriteHalf, LengthDelimitedCodec>);

fn messages<T>(socket: UnixStream) -> std::io::Result<(Incoming<T>, Outgoing)> {
    let (read, write) = socket::split(socket)?;
    let read = FramedRead::with_capacity(read, codec(), READ_BYTES);
    Ok((Incoming(read, PhantomData), Outgoing(FramedWrite::new(write, codec()))))
}

impl<T: DeserializeOwned> Incoming<T> {
    /// The next message; `None` after the last. Cancel safe.
    async fn next(&mut self) -> Option<Result<T, WorkerError>> {
        let bytes = self.0.next().await?;
        Some(bytes.map_err(WorkerError::from).and_then(|bytes| Ok(postcard::from_bytes(&bytes)?)))
    }
}

impl Outgoing {
    async fn send(&mut self, message: &impl Serialize) -> Result<(), WorkerError> {
        let bytes = postcard::to_stdvec(message)?;
        Ok(self.0.send(Bytes::from(bytes)).await?)
    }

    /// Sends what comes by a queue until it closes or nobody reads any more.
    async fn send_all(mut self, mut queue: mpsc::Receiver<impl Serialize>) {
        while let Some(message) = queue.recv().await {
            if let Err(error) = self.send(&message).await {
                return tracing::debug!(%error, "a packager's socket");
            }
        }
    }
}

/// Starts a child of this very program. Beside it comes the socket of its requests to the origin.
pub async fn spawn(begin: &Begin) -> Result<(Worker, UnixStream), WorkerError> {
    let (ours, child_messages) = pair()?;
    let (objects, child_objects) = pair()?;
    let inherited = [child_messages.as_raw_fd(), child_objects.as_raw_fd()];
    // The very file that this process runs, also where another has been installed in its place: two versions do not understand each other.
    let mut command = std::process::Command::new("/proc/self/exe");
    command
        .arg0("footlight")
        // A terminal's Ctrl-C is for the server, which then ends its streams.
        .process_group(0)
        .arg("worker")
        .args(inherited.map(|fd| fd.to_string()))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    for name in ["RUST_LOG", "RUST_BACKTRACE"] {
        command.envs(std::env::var(name).ok().map(|value| (name, value)));
    }
    // SAFETY: between fork and exec only fcntl is called, which is async-signal-safe; the descriptors are open until after the spawn.
    unsafe {
        command.pre_exec(move || {
            for fd in inherited {
                if libc::fcntl(fd, libc::F_SETFD, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    let child = Command::from(command).kill_on_drop(true).spawn().map_err(WorkerError::Spawn)?;
    let (messages, mut outgoing) = messages(ours)?;
    outgoing.send(begin).await?;
    let (to, queue) = mpsc::channel(MESSAGES);
    tokio::spawn(outgoing.send_all(queue));
    Ok((Worker { child, to, messages }, objects))
}

fn pair() -> Result<(UnixStream, OwnedFd), WorkerError> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((ours, theirs.into()))
}

/// What runs in a child: reads its beginning, puts up the fences, packages until the end.
///
/// # Safety
/// `messages` and `objects` are connected sockets that this process inherited, and nobody else in it uses.
pub unsafe fn run_child(messages: RawFd, objects: RawFd) -> Result<(), WorkerError> {
    // SAFETY: the caller vouches for the descriptors.
    let (messages, objects) = unsafe { (OwnedFd::from_raw_fd(messages), OwnedFd::from_raw_fd(objects)) };
    // A service manager that ends the server signals its whole group; the server says when its streams end.
    // SAFETY: nothing else in this process has set these dispositions.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::signal(libc::SIGINT, libc::SIG_IGN);
    }
    for fd in [&messages, &objects] {
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC).map_err(std::io::Error::from)?;
    }
    // One thread, because the media threads are elsewhere and seccomp wants to be put up before there are others.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let (mut begin, outgoing) = self::messages::<Begin>(messages.into())?;
        let Begin { start, memory_bytes } = begin.next().await.ok_or(WorkerError::Silent)??;
        let incoming = Incoming(begin.0, PhantomData);
        // FFmpeg registers its codecs when it is first used.
        footlight_packager::ffmpeg::quiet();
        sandbox::enter(memory_bytes)?;
        package(start, incoming, outgoing, objects.into()).await
    })
}

async fn package(
    start: Start,
    mut incoming: Incoming<ToPackager>,
    mut outgoing: Outgoing,
    objects: UnixStream,
) -> Result<(), WorkerError> {
    let (read, write) = socket::split(objects)?;
    let (origin, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tokio::io::join(read, write)))
        .await
        .map_err(|e| WorkerError::Socket(std::io::Error::other(e)))?;
    tokio::spawn(connection);
    let (to, inputs) = mpsc::channel(MESSAGES);
    let (outputs, mut from) = mpsc::channel(MESSAGES);
    let publisher = Publisher::new(Connection(origin));
    let driver = driver::run(start, inputs, outputs, publisher);
    let mut driver = std::pin::pin!(driver);
    loop {
        tokio::select! {
            result = &mut driver => {
                while let Ok(message) = from.try_recv() {
                    outgoing.send(&message).await?;
                }
                return Ok(result?);
            }
            Some(message) = from.recv() => outgoing.send(&message).await?,
            message = incoming.next(), if to.capacity() > 0 => match message {
                Some(message) => drop(to.try_send(message?)),
                None => return Ok(()),
            },
        }
    }
}

/// One HTTP/1.1 connection as a service: requests go one after the other.
struct Connection(hyper::client::conn::http1::SendRequest<Full<Bytes>>);

impl tower::Service<Request<Full<Bytes>>> for Connection {
    type Response = Response<IncomingBody>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
