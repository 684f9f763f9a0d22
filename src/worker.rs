#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: starts child processes and speaks with them over sockets.
//! The child process of a live stream: what starts it, and what runs in it.
//!
//! A child inherits one connected Unix socket. Frames and commands come in by it, and what the packager says goes out, objects among it: postcard values,
//! each behind its length as a 32-bit little-endian integer. It has nothing else (see [`crate::sandbox`]).

use crate::sandbox::{self, SandboxError};
use crate::socket::{self, ReadHalf, WriteHalf};
use bytes::{BufMut, BytesMut};
use footlight_packager::driver::{self, DriverError, FromPackager, Start, ToPackager};
use footlight_packager::publish::PublishError;
use futures_util::{SinkExt, StreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::future::ready;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio_util::codec::{Decoder, Encoder, FramedRead, FramedWrite, LengthDelimitedCodec};

/// Before each message.
const LENGTH_BYTES: usize = size_of::<u32>();
/// Longest message: the segments of a large ladder together.
const MESSAGE_BYTES: usize = 32 * 1024 * 1024;
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
    /// A message that is longer than the other side takes: a bug.
    #[error("a message of {0} bytes for the packager's socket, which takes {MESSAGE_BYTES}")]
    Long(usize),
    /// The socket closed before anything was said.
    #[error("the packager's socket closed at once")]
    Silent,
    /// The process ended without having said that the stream did.
    #[error("the packager's process ended: {0}")]
    Died(std::process::ExitStatus),
    /// The stream was stopped first.
    #[error("the stream was stopped before its packager began")]
    Stopped,
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
    /// A task has panicked: a bug.
    #[error("a packager's task: {0}")]
    Task(#[from] JoinError),
    /// What looks after the packager has panicked: a bug.
    #[error("what looks after the packager has panicked")]
    Panicked,
    /// The fences could not be put up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The origin does not take what is published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// It wants something at the origin that a packager of ours never does: somebody has taken it over.
    #[error("the packager went beyond its stream: {0}")]
    Foreign(String),
    /// It does not wait for the origin, as a packager of ours does.
    #[error("the packager publishes faster than the origin takes, and does not wait")]
    Flood,
    /// The packager gave up.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

impl WorkerError {
    /// Whether it is of a socket or queue whose other end is gone, which says why by its last word.
    pub(crate) fn is_of_its_end(&self) -> bool {
        match self {
            Self::Socket(error) => matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
            error => matches!(error, Self::Silent),
        }
    }
}

/// A started child.
pub struct Worker {
    /// The process; killed when dropped.
    child: Child,
    says: Incoming<FromPackager>,
}

impl Worker {
    /// The child's next message. Cancel safe. With each report, which comes each second, its threads are counted.
    pub async fn next(&mut self) -> Result<FromPackager, WorkerError> {
        match self.says.next().await {
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

/// The half of a socket that messages come in by. Its `next` is cancel safe.
type Incoming<T> = FramedRead<ReadHalf, Messages<T>>;

/// The half that they go out by. It takes one at a time: it is ready for the next when the last is on its way.
pub(crate) type Outgoing<T> = FramedWrite<WriteHalf, Messages<T>>;

/// Messages as they are on a socket.
pub(crate) struct Messages<T> {
    frames: LengthDelimitedCodec,
    message: PhantomData<fn(T) -> T>,
}

impl<T> Messages<T> {
    fn new() -> Self {
        let mut frames = LengthDelimitedCodec::builder();
        frames.little_endian().length_field_length(LENGTH_BYTES).max_frame_length(MESSAGE_BYTES);
        Self { frames: frames.new_codec(), message: PhantomData }
    }
}

impl<T: DeserializeOwned> Decoder for Messages<T> {
    type Item = T;
    type Error = WorkerError;

    fn decode(&mut self, from: &mut BytesMut) -> Result<Option<T>, WorkerError> {
        let Some(bytes) = self.frames.decode(from)? else { return Ok(None) };
        Ok(Some(postcard::from_bytes(&bytes)?))
    }
}

impl<T: Serialize> Encoder<T> for Messages<T> {
    type Error = WorkerError;

    fn encode(&mut self, message: T, into: &mut BytesMut) -> Result<(), WorkerError> {
        let length_at = into.len();
        into.put_bytes(0, LENGTH_BYTES);
        postcard::to_io(&message, (&mut *into).writer())?;
        let length = into.len() - length_at - LENGTH_BYTES;
        if length > MESSAGE_BYTES {
            return Err(WorkerError::Long(length));
        }
        into[length_at..][..LENGTH_BYTES].copy_from_slice(&u32::try_from(length).expect("bounded").to_le_bytes());
        Ok(())
    }
}

fn incoming<T: DeserializeOwned>(half: ReadHalf) -> Incoming<T> {
    FramedRead::with_capacity(half, Messages::new(), READ_BYTES)
}

fn outgoing<T: Serialize>(half: WriteHalf) -> Outgoing<T> {
    let mut outgoing = FramedWrite::new(half, Messages::new());
    outgoing.set_backpressure_boundary(1);
    outgoing
}

/// Starts a child of this very program. Beside it comes what it is told by.
pub(crate) async fn spawn(begin: Begin) -> Result<(Worker, Outgoing<ToPackager>), WorkerError> {
    let (ours, theirs) = UnixStream::pair()?;
    for socket in [&ours, &theirs] {
        socket.set_nonblocking(true)?;
    }
    let inherited = theirs.as_raw_fd();
    // The very file that this process runs, also where another has been installed in its place: two versions do not understand each other.
    let mut command = std::process::Command::new("/proc/self/exe");
    command
        .arg0("footlight")
        // A terminal's Ctrl-C is for the server, which then ends its streams.
        .process_group(0)
        .arg("worker")
        .arg(inherited.to_string())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    for name in ["RUST_LOG", "RUST_BACKTRACE"] {
        command.envs(std::env::var(name).ok().map(|value| (name, value)));
    }
    // SAFETY: between fork and exec only fcntl is called, which is async-signal-safe; the descriptor is open until after the spawn.
    unsafe {
        command.pre_exec(move || {
            if libc::fcntl(inherited, libc::F_SETFD, 0) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let child = Command::from(command).kill_on_drop(true).spawn().map_err(WorkerError::Spawn)?;
    // Or a child that dies would not end what is sent to it.
    drop(theirs);
    let (says, to) = socket::split(ours)?;
    let mut to = outgoing(to);
    to.send(begin).await?;
    Ok((Worker { child, says: incoming(says) }, to.map_encoder(|_| Messages::new())))
}

/// What runs in a child: reads its beginning, puts up the fences, packages until the end.
///
/// # Safety
/// `socket` is a connected socket that this process inherited, and nobody else in it uses.
pub unsafe fn run_child(socket: RawFd) -> Result<(), WorkerError> {
    // SAFETY: the caller vouches for the descriptor.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // A service manager that ends the server signals its whole group; the server says when its streams end.
    // SAFETY: nothing else in this process has set these dispositions.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::signal(libc::SIGINT, libc::SIG_IGN);
    }
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).map_err(std::io::Error::from)?;
    // One thread, because the media threads are elsewhere and seccomp wants to be put up before there are others.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let (from, to) = socket::split(socket.into())?;
        let mut begin = incoming::<Begin>(from);
        let Begin { start, memory_bytes } = begin.next().await.ok_or(WorkerError::Silent)??;
        // FFmpeg registers its codecs when it is first used.
        footlight_packager::ffmpeg::quiet();
        sandbox::enter(memory_bytes)?;
        // A task, as each wake of what is blocked on here is a write to the runtime's own eventfd.
        let packaging = package(start, begin.map_decoder(|_| Messages::new()), outgoing(to));
        tokio::spawn(packaging).await?
    })
}

async fn package(
    start: Start,
    incoming: Incoming<ToPackager>,
    outgoing: Outgoing<FromPackager>,
) -> Result<(), WorkerError> {
    let inputs = incoming.scan((), |(), message| {
        ready(message.inspect_err(|error| tracing::error!(%error, "what a packager is told")).ok())
    });
    let (outputs, says) = mpsc::channel(MESSAGES);
    let saying = tokio::spawn(say_all(says, outgoing));
    let result = driver::run(start, inputs, outputs).await;
    // Its last word is on its way when everything has been said.
    let said = saying.await?;
    result?;
    said
}

async fn say_all(
    mut says: mpsc::Receiver<FromPackager>,
    mut outgoing: Outgoing<FromPackager>,
) -> Result<(), WorkerError> {
    while let Some(message) = says.recv().await {
        outgoing.send(message).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_however_a_socket_cuts_them() {
        let sent = [vec![1_u8; 3], Vec::new(), vec![2; 70_000]];
        let (mut codec, mut wire) = (Messages::<Vec<u8>>::new(), BytesMut::new());
        for message in sent.clone() {
            codec.encode(message, &mut wire).expect("short enough");
        }
        let (mut arrived, mut got) = (BytesMut::new(), Vec::new());
        for chunk in wire.chunks(999) {
            arrived.extend_from_slice(chunk);
            while let Some(message) = codec.decode(&mut arrived).expect("a message") {
                got.push(message);
            }
        }
        assert_eq!(got, sent);
        assert!(arrived.is_empty());
    }

    #[test]
    fn a_message_beyond_the_bound_is_refused_by_both_sides() {
        let mut codec = Messages::<Vec<u8>>::new();
        let sent = codec.encode(vec![0; MESSAGE_BYTES], &mut BytesMut::new());
        assert!(matches!(sent, Err(WorkerError::Long(length)) if length > MESSAGE_BYTES), "{sent:?}");
        let length = u32::try_from(MESSAGE_BYTES + 1).expect("a small number");
        let got = codec.decode(&mut BytesMut::from(&length.to_le_bytes()[..]));
        assert!(matches!(got, Err(WorkerError::Socket(_))), "{got:?}");
    }
}
