#![allow(clippy::disallowed_methods)] // IO: sockets and patience of its own.
//! Where UDP is blocked a peer connects to the TCP candidate of the same port (RFC 6544), framed by RFC 4571.

use crate::harness::{Theatre, next_frame, within};
use crate::support::media::{Clip, Video};
use crate::support::{Client, Setup};
use footlight_media::codec::Codec;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_publish_over_tcp() {
    let theatre = Theatre::open().await;
    let mut running = Vec::new();
    for peer in ["ada", "bob"] {
        let mut subscription = theatre.subscribe(peer).await;
        let setup = Setup { video: vec![Video::Vp8], audio: false };
        let client = Client::tcp(&setup, theatre.stage.local_addr()).await;
        let mut joined = theatre.join(peer, peer, client).await;
        let clip = Clip::synthetic(Video::Vp8, (640, 360), 800_000, 1);
        let sent = clip.frames[0].data.clone();
        joined.client.publish(Some(clip), false);
        running.push(joined.client.spawn());
        let frame = next_frame(&mut subscription, Codec::Vp8).await;
        assert!(frame.key && frame.data[..] == sent[..]);
    }
}

/// Strangers on the TCP port are cut off without a word: garbage, oversized frames, unknown ufrags.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_no_answer() {
    let theatre = Theatre::open().await;
    let mut unknown = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    unknown.extend([7; 12]);
    unknown.extend([0, 6, 0, 7]);
    unknown.extend(b"nope:me\0");
    let mut framed = (unknown.len() as u16).to_be_bytes().to_vec();
    framed.extend(unknown);
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0xff; 64], vec![0, 4, 1, 2, 3, 4], framed] {
        let mut stream = TcpStream::connect(theatre.stage.local_addr()).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        // Closed, orderly or by reset; but nothing is ever sent.
        let _ = within(stream.read_to_end(&mut answer)).await;
        assert!(answer.is_empty());
    }
}
