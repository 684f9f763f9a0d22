//! The origin's listeners: viewers, and publishers with a secret.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "scenarios open sockets")]

mod support;

use bytes::Bytes;
use footlight_origin::Origin;
use footlight_origin::serve::{self, Secret};
use http::Request;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use support::{Got, PART, PLAYLIST, get as get_in_process, origin, put, put_version, read, request, start};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const PLAIN: [(&str, &str); 2] = [("content-type", "video/mp4"), ("cache-control", "max-age=60")];

async fn h1<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: I) -> http1::SendRequest<Full<Bytes>> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn send(sender: &mut http1::SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Got {
    sender.ready().await.unwrap();
    read(sender.send_request(request).await.unwrap()).await
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn viewers(origin: &Origin) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let (listener, address) = listener().await;
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve::run_viewers(listener, origin.clone(), stop.clone().cancelled_owned()));
    (address, stop, task)
}

async fn publishers(origin: &Origin) -> SocketAddr {
    let (listener, address) = listener().await;
    let secret = Secret::new("s3cret").unwrap();
    tokio::spawn(serve::run_publish(listener, origin.publish(), secret, std::future::pending()));
    address
}

#[tokio::test]
async fn a_reload_over_the_network_is_released_by_a_put_in_process() {
    let origin = origin();
    let (address, ..) = viewers(&origin).await;
    put_version(&origin, "13.2", "13:2", &[]).await;
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let target = format!("http://origin.test{PLAYLIST}?_HLS_msn=13&_HLS_part=2");
    let reload = tokio::spawn(sender.send_request(request("GET", &target, &[], "")));
    while origin.usage().waiters == 0 {
        tokio::task::yield_now().await;
    }
    put_version(&origin, "13.3", "13:3", &[]).await;
    let got = read(reload.await.unwrap().unwrap()).await;
    assert_eq!((got.text(), got.header("cache-control")), ("at 13.3", "max-age=12"));
}

#[tokio::test]
async fn an_edge_that_goes_away_no_longer_waits() {
    let origin = origin();
    let (address, ..) = viewers(&origin).await;
    put_version(&origin, "13.2", "13:2", &[]).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {PLAYLIST}?_HLS_msn=13 HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    while origin.usage().waiters == 0 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while origin.usage().waiters == 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_viewer_cannot_publish() {
    let origin = origin();
    let (address, ..) = viewers(&origin).await;
    put(&origin, PART, "one").await;
    let mut sender = h1(TcpStream::connect(address).await.unwrap()).await;
    for method in ["PUT", "DELETE"] {
        let got = send(&mut sender, request(method, PART, &PLAIN, "two")).await;
        assert_eq!((got.status.as_u16(), got.header("allow")), (405, "GET, HEAD, OPTIONS"));
    }
    let got = send(&mut sender, request("HEAD", PART, &[], "")).await;
    assert_eq!((got.status.as_u16(), got.header("content-length"), got.text()), (200, "3", ""));
    assert_eq!(get_in_process(&origin, PART).await.text(), "one");
}

#[tokio::test]
async fn publishing_over_tcp_needs_the_secret() {
    let origin = origin();
    let mut sender = h1(TcpStream::connect(publishers(&origin).await).await.unwrap()).await;
    for wrong in ["Bearer wrong", "Bearer ", "s3cret", ""] {
        let headers = [PLAIN[0], PLAIN[1], ("authorization", wrong)];
        for method in ["PUT", "GET", "DELETE", "POST"] {
            let got = send(&mut sender, request(method, PART, &headers, "x")).await;
            assert_eq!((got.status.as_u16(), got.header("www-authenticate")), (401, "Bearer realm=\"publish\""));
        }
    }
    let headers = [PLAIN[0], PLAIN[1], ("authorization", "Bearer s3cret")];
    let body = vec![7; 3 << 20];
    assert_eq!(send(&mut sender, request("PUT", PART, &headers, body.clone())).await.status, 201);
    assert_eq!(get_in_process(&origin, PART).await.body, body);
    assert_eq!(send(&mut sender, request("POST", PART, &headers, "x")).await.status, 405);
}

#[tokio::test]
async fn a_block_of_headers_beyond_the_limit_is_431() {
    let origin = origin();
    let (address, ..) = viewers(&origin).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {PART} HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(serve::HEADER_BYTES));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    assert!(got.starts_with(b"HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_before_it_is_sent() {
    let origin = origin();
    let mut stream = TcpStream::connect(publishers(&origin).await).await.unwrap();
    let head = format!(
        "PUT {PART} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer s3cret\r\ncontent-type: a\r\ncache-control: b\r\n\
         content-length: 33554433\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut got = [0; 13];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"HTTP/1.1 413 ");
}

#[tokio::test]
async fn a_shutdown_lets_a_waiting_reload_end() {
    let origin = origin();
    let (address, stop, task) = viewers(&origin).await;
    put_version(&origin, "13.2", "13:2", &[]).await;
    let mut sender = h1(TcpStream::connect(address).await.unwrap()).await;
    let reload = request("GET", &format!("{PLAYLIST}?_HLS_msn=13"), &[], "");
    let reload = tokio::spawn(async move { send(&mut sender, reload).await });
    while origin.usage().waiters == 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    let local = start(&origin, &format!("{PLAYLIST}?_HLS_msn=13")).await;
    put_version(&origin, "14.0", "13:6", &[]).await;
    assert_eq!(reload.await.unwrap().text(), "at 14.0");
    assert_eq!(local.await.unwrap().text(), "at 14.0");
    task.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
