#![allow(clippy::disallowed_methods)] // IO: reads and writes Unix sockets.
//! The two halves of a Unix socket between processes.
//!
//! Linux wakes the writer of a Unix socket each time its peer has read something, also one that does not wait for room. Tokio's own `UnixStream` listens for
//! that as long as it lives, so that each message wakes the process that sent it once more. The writing half here listens only while the socket is full.

use std::io::{ErrorKind, IoSlice, Result, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::unix::{AsyncFd, AsyncFdRegisterError};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// The half that reads.
pub(crate) struct ReadHalf(AsyncFd<UnixStream>);

/// The half that writes. The peer reads the end of the stream when it is dropped.
pub(crate) struct WriteHalf {
    socket: UnixStream,
    /// A further descriptor of the socket, to listen for room by. It is there from the start, so that no write fails for want of one.
    spare: Option<UnixStream>,
    /// The same while a write waits for room.
    room: Option<AsyncFd<UnixStream>>,
}

/// Splits a socket that does not block, for the runtime that this is called in. Errors are the operating system's: no descriptor left, for one.
pub(crate) fn split(socket: UnixStream) -> Result<(ReadHalf, WriteHalf)> {
    let (read, room) = (socket.try_clone()?, socket.try_clone()?);
    let read = listen(read, Interest::READABLE).map_err(|(_, error)| error)?;
    Ok((ReadHalf(read), WriteHalf { socket, spare: Some(room), room: None }))
}

fn listen(
    socket: UnixStream,
    interest: Interest,
) -> std::result::Result<AsyncFd<UnixStream>, (UnixStream, std::io::Error)> {
    // SAFETY: the descriptor is open, and the socket owns it for as long as the result owns the socket, which nothing here replaces.
    unsafe { AsyncFd::register_with_interest(socket, interest) }.map_err(AsyncFdRegisterError::into_parts)
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let asked = into.remaining();
            // SAFETY: the kernel writes what it has read and nothing else, so what was initialised stays so.
            let unfilled = unsafe { into.unfilled_mut() };
            let Ok(read) = guard.try_io(|socket| Ok(rustix::io::read(socket, unfilled)?.0.len())) else { continue };
            let read = read?;
            // SAFETY: the kernel has written so many bytes.
            unsafe { into.assume_init(read) };
            into.advance(read);
            // All that there was: the kernel tells of more, so that nobody needs to ask for it now.
            if 0 < read && read < asked {
                guard.clear_ready();
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl WriteHalf {
    /// Writes, and waits for room where there is none.
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        mut send: impl FnMut(&UnixStream) -> Result<usize>,
    ) -> Poll<Result<usize>> {
        if self.room.is_none() {
            match send(&self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
        if let Some(spare) = self.spare.take() {
            match listen(spare, Interest::WRITABLE) {
                Ok(room) => self.room = Some(room),
                Err((spare, error)) => {
                    self.spare = Some(spare);
                    return Poll::Ready(Err(error));
                }
            }
        }
        let room = self.room.as_ref().expect("there is one of the two");
        loop {
            let mut guard = ready!(room.poll_write_ready(context))?;
            if let Ok(sent) = guard.try_io(|room| send(room.get_ref())) {
                self.spare = self.room.take().map(AsyncFd::into_inner);
                return Poll::Ready(sent);
            }
        }
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.poll_send(context, |mut socket| socket.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.poll_send(context, |mut socket| socket.write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.socket.shutdown(Shutdown::Write))
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        // A peer that is gone needs no goodbye.
        let _gone = self.socket.shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// More than a socket holds.
    const LONG: usize = 4 << 20;

    fn pair() -> ((ReadHalf, WriteHalf), (ReadHalf, WriteHalf)) {
        let (one, other) = UnixStream::pair().expect("sockets");
        let halves = |socket: UnixStream| {
            socket.set_nonblocking(true).expect("sockets can");
            split(socket).expect("a runtime")
        };
        (halves(one), halves(other))
    }

    #[tokio::test]
    async fn what_is_longer_than_the_socket_arrives_whole_both_ways() {
        let ((mut read, mut write), (mut far_read, mut far_write)) = pair();
        let bytes: Vec<u8> = (0..LONG).map(|i| u8::try_from(i % 251).expect("small")).collect();
        let echo = async {
            let mut buffer = vec![0; 5_000];
            loop {
                match far_read.read(&mut buffer).await.expect("it reads") {
                    0 => return drop(far_write),
                    n => far_write.write_all(&buffer[..n]).await.expect("it writes"),
                }
            }
        };
        let there = async {
            write.write_all(&bytes).await.expect("it writes");
            drop(write);
        };
        let mut back = Vec::new();
        let (_, (), read) = tokio::join!(echo, there, read.read_to_end(&mut back));
        read.expect("it reads");
        assert!(back == bytes, "the same bytes in their order");
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_told_to_a_writer_that_waits() {
        let ((_read, mut write), far) = pair();
        let (written, ()) = tokio::join!(write.write_all(&[0; LONG]), async { drop(far) });
        assert_eq!(written.expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
    }

    /// Whether a thread of this process waits for something.
    fn sleeps(thread: rustix::thread::Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).expect("it lives");
        stat.rsplit_once(") ").is_some_and(|(_name, rest)| rest.starts_with('S'))
    }

    #[tokio::test]
    async fn a_writer_is_not_woken_when_its_peer_reads() {
        const MESSAGES: u8 = 100;
        let (one, mut far) = UnixStream::pair().expect("sockets");
        one.set_nonblocking(true).expect("sockets can");
        let (mut read, mut write) = split(one).expect("a runtime");
        for message in 0..MESSAGES {
            // Each a buffer of its own to the kernel.
            write.write_all(&[message]).await.expect("it writes");
        }
        let writer = rustix::thread::gettid();
        let peer = std::thread::spawn(move || {
            for _ in 0..MESSAGES {
                while !sleeps(writer) {
                    std::thread::yield_now();
                }
                far.read_exact(&mut [0]).expect("it reads");
            }
            far.write_all(&[1]).expect("it writes");
        });
        let runtime = tokio::runtime::Handle::current().metrics();
        let before = runtime.worker_park_count(0);
        read.read_exact(&mut [0]).await.expect("it reads");
        let wakes = runtime.worker_park_count(0) - before;
        peer.join().expect("it reads to the end");
        assert!(wakes <= 2, "woken {wakes} times to hear one answer");
    }
}
