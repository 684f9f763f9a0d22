//! The edge on real sockets: both protocols, TLS, an origin elsewhere, and every limit on a connection.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "scenarios open sockets")]

mod support;

use bytes::Bytes;
use footlight_edge::remote::{Address, Remote};
use footlight_edge::{Edge, Limits, Wiring, serve};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use support::{Got, SEGMENT, Upstream, answer, edge_with, read, streamed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// An edge on a loopback port, until it is stopped.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn run(upstream: &Upstream, limits: Limits, tls: Option<Arc<rustls::ServerConfig>>) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let edge = edge_with(upstream, limits.clone());
    let answer = move |request: Request<Incoming>| edge.handle(request);
    let task = tokio::spawn(serve::run(listener, tls, limits, stop.clone().cancelled_owned(), answer));
    Running { address, stop, task }
}

fn plain() -> Upstream {
    Upstream::answering(|_, _| {
        answer(200, &[("cache-control", "max-age=60"), ("content-type", "video/mp4")], "the object")
    })
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.address).await.unwrap()
}

/// What a raw exchange brings until the peer closes.
async fn exchange(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    // A reset instead of an end is an end, too.
    let _ = stream.read_to_end(&mut got).await;
    String::from_utf8(got).unwrap()
}

async fn http2(stream: TcpStream) -> hyper::client::conn::http2::SendRequest<Empty<Bytes>> {
    let io = TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(target: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://edge.test{target}")).body(Empty::new()).unwrap()
}

async fn fetch(sender: &mut hyper::client::conn::http2::SendRequest<Empty<Bytes>>, target: &str) -> Got {
    read(sender.send_request(get(target)).await.unwrap()).await
}

#[tokio::test]
async fn http1_and_http2_are_served_on_one_port() {
    let running = run(&plain(), Limits::default(), None).await;
    let close = format!("GET {SEGMENT} HTTP/1.1\r\nhost: edge.test\r\nconnection: close\r\n\r\n");
    let got = exchange(&mut connect(&running).await, &close).await;
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.ends_with("\r\n\r\nthe object"), "{got}");
    assert!(got.contains("\r\ncontent-length: 10\r\n"), "{got}");
    let head = format!("HEAD {SEGMENT} HTTP/1.1\r\nhost: edge.test\r\nconnection: close\r\n\r\n");
    let got = exchange(&mut connect(&running).await, &head).await;
    assert!(got.contains("\r\ncontent-length: 10\r\n") && got.ends_with("\r\n\r\n"), "{got}");
    let put = format!("PUT {SEGMENT} HTTP/1.1\r\nhost: edge.test\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc");
    let got = exchange(&mut connect(&running).await, &put).await;
    assert!(got.starts_with("HTTP/1.1 405 ") && got.contains("\r\naccess-control-allow-origin: *\r\n"), "{got}");
    let mut sender = http2(connect(&running).await).await;
    assert_eq!(fetch(&mut sender, SEGMENT).await.line(), (200, "the object", "hit"));
}

/// A body whose ten bytes were announced, as an origin elsewhere does.
struct Measured(UnsyncBoxBody<Bytes, io::Error>);

impl Body for Measured {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(10)
    }
}

/// A body that is sent as it comes from the origin is complete with its last byte, on either protocol.
#[tokio::test]
async fn answers_that_were_sent_are_no_resets() {
    let half_read = Arc::new(tokio::sync::Notify::new());
    let read = half_read.clone();
    let upstream = Upstream::answering(move |_, _| {
        let (pieces, body) = tokio::sync::mpsc::channel(2);
        let read = read.clone();
        tokio::spawn(async move {
            pieces.send(Ok("the ")).await.unwrap();
            read.notified().await;
            pieces.send(Ok("object")).await.unwrap();
        });
        streamed(&[("cache-control", "no-store")], body).map(|body| UnsyncBoxBody::new(Measured(body)))
    });
    let running = run(&upstream, Limits { h2_resets: 3, ..Limits::default() }, None).await;
    let mut stream = connect(&running).await;
    let once = format!("GET {SEGMENT} HTTP/1.1\r\nhost: edge.test\r\n\r\n");
    for _ in 0..10 {
        stream.write_all(once.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        for until in ["the ", "the object"] {
            while !got.ends_with(until.as_bytes()) {
                assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0, "the connection goes on");
            }
            if until == "the " {
                half_read.notify_one();
            }
        }
    }
}

#[tokio::test]
async fn tls_negotiates_its_protocol() {
    let certified = rcgen::generate_simple_self_signed(["edge.test".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let limits = Limits { handshake_time: Duration::from_millis(300), ..Limits::default() };
    let running = run(&plain(), limits, Some(Arc::new(server))).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let name = "edge.test".try_into().unwrap();
    let stream = connector.connect(name, connect(&running).await).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(fetch(&mut sender, SEGMENT).await.text(), "the object");
    // Who says nothing is let go.
    assert_eq!(exchange(&mut connect(&running).await, "").await, "");
}

#[tokio::test]
async fn a_head_that_is_too_large_or_too_slow_ends_the_connection() {
    let limits = Limits { header_bytes: 8 << 10, header_time: Duration::from_millis(200), ..Limits::default() };
    let running = run(&plain(), limits, None).await;
    let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    assert!(exchange(&mut connect(&running).await, &large).await.starts_with("HTTP/1.1 431 "));
    let begun = std::time::Instant::now();
    assert_eq!(exchange(&mut connect(&running).await, "GET / HTTP/1.1\r\nhost").await, "");
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_ends() {
    let limits = Limits { idle_time: Duration::from_millis(200), ..Limits::default() };
    let running = run(&plain(), limits, None).await;
    // Before its first request, after one, and on HTTP/2.
    assert_eq!(exchange(&mut connect(&running).await, "").await, "");
    let keep = format!("GET {SEGMENT} HTTP/1.1\r\nhost: edge.test\r\n\r\n");
    assert!(exchange(&mut connect(&running).await, &keep).await.ends_with("the object"));
    let mut sender = http2(connect(&running).await).await;
    assert_eq!(fetch(&mut sender, SEGMENT).await.text(), "the object");
    while !sender.is_closed() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_takes_no_bytes_is_let_go() {
    let upstream = Upstream::answering(|_, _| answer(200, &[("cache-control", "max-age=60")], vec![7; 32 << 20]));
    let limits = Limits { stall_time: Duration::from_millis(300), ..Limits::default() };
    let running = run(&upstream, limits, None).await;
    let mut stream = connect(&running).await;
    stream.write_all(format!("GET {SEGMENT} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    // To send now and then helps nobody who takes nothing. What was on its way is there; the rest never comes.
    while stream.write_all(b"x").await.is_ok() {
        tokio::task::yield_now().await;
    }
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    assert!(!got.is_empty() && got.len() < 32 << 20, "{}", got.len());
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_gets_them_back() {
    let limits = Limits { connections_per_address: 2, ..Limits::default() };
    let running = run(&plain(), limits, None).await;
    let keep = format!("GET {SEGMENT} HTTP/1.1\r\nhost: edge.test\r\n\r\n");
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&running).await;
        stream.write_all(keep.as_bytes()).await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        open.push(stream);
    }
    let mut third = connect(&running).await;
    let refused = third.read(&mut [0; 16]).await;
    assert!(matches!(refused, Ok(0) | Err(_)), "{refused:?}");
    open.pop();
    let close = format!("GET {SEGMENT} HTTP/1.1\r\nhost: edge.test\r\nconnection: close\r\n\r\n");
    loop {
        let mut stream = connect(&running).await;
        let _ = stream.write_all(close.as_bytes()).await;
        let mut got = Vec::new();
        if stream.read_to_end(&mut got).await.is_ok_and(|read| read > 0) {
            break;
        }
    }
}

#[tokio::test]
async fn a_rapid_reset_ends_its_connection_and_no_other() {
    let upstream = Upstream::new(|_, _| std::future::pending());
    let limits = Limits { h2_resets: 20, ..Limits::default() };
    let running = run(&upstream, limits, None).await;
    let (mut sender, connection) = h2::client::handshake(connect(&running).await).await.unwrap();
    let ended = tokio::spawn(connection);
    for n in 0..10_000 {
        sender = match sender.clone().ready().await {
            Ok(sender) => sender,
            Err(_) => break,
        };
        let request = Request::get(format!("http://edge.test/hls/{n}")).body(()).unwrap();
        let Ok((_, mut stream)) = sender.send_request(request, true) else { break };
        stream.send_reset(h2::Reason::CANCEL);
    }
    let _ = ended.await.unwrap();
    assert!(sender.ready().await.is_err());
    let mut other = http2(connect(&running).await).await;
    assert_eq!(fetch(&mut other, "/a//b").await.status, 400);
}

#[tokio::test]
async fn a_shutdown_lets_open_requests_end_and_then_ends() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let upstream = Upstream::new({
        let gate = gate.clone();
        move |_, _| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(answer(200, &[], "the last"))
            }
        }
    });
    let running = run(&upstream, Limits::default(), None).await;
    let mut idle = connect(&running).await;
    let mut sender = http2(connect(&running).await).await;
    let open = tokio::spawn(async move { fetch(&mut sender, SEGMENT).await });
    while upstream.count() == 0 {
        tokio::task::yield_now().await;
    }
    running.stop.cancel();
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap_or(0), 0);
    gate.add_permits(1);
    assert_eq!(open.await.unwrap().text(), "the last");
    running.task.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let upstream = Upstream::new(|_, _| std::future::pending());
    let limits = Limits { drain: Duration::from_millis(100), ..Limits::default() };
    let running = run(&upstream, limits, None).await;
    let mut stream = connect(&running).await;
    stream.write_all(format!("GET {SEGMENT} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    while upstream.count() == 0 {
        tokio::task::yield_now().await;
    }
    running.stop.cancel();
    running.task.await.unwrap();
}

/// An origin of a few lines, elsewhere: it says which protocol it was asked in.
async fn elsewhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
                if request.uri().path() == "/hls/never" {
                    std::future::pending::<()>().await;
                }
                let text = format!("{:?} {}", request.version(), "x".repeat(100_000));
                let response = Response::builder().header("cache-control", "max-age=60");
                Ok::<_, std::convert::Infallible>(response.body(Full::new(Bytes::from(text))).unwrap())
            });
            tokio::spawn(async move {
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn an_origin_elsewhere_is_an_upstream_like_any_other() {
    let origin = elsewhere().await;
    for (http2, said) in [(false, "HTTP/1.1 "), (true, "HTTP/2.0 ")] {
        let url = format!("http://{origin}").parse().unwrap();
        let address = Address { url, http2, target_duration: Duration::ZERO };
        let edge = Edge::new(Remote::new(address).unwrap(), Wiring::default());
        for status in ["fwd=miss", "hit"] {
            let got = read(edge.handle(get(SEGMENT)).await).await;
            assert_eq!((got.status.as_u16(), got.body.len()), (200, 100_000 + said.len()));
            assert!(got.text().starts_with(said));
            assert_eq!(got.header("cache-status"), format!("footlight; {status}"));
        }
        // No target duration, so that the origin has two seconds in all.
        let begun = std::time::Instant::now();
        assert_eq!(read(edge.handle(get("/hls/never")).await).await.status, 502);
        assert!((2..4).contains(&begun.elapsed().as_secs()));
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}").parse().unwrap();
    let remote = Remote::new(Address { url, http2: false, target_duration: Duration::from_secs(2) }).unwrap();
    let got = Edge::new(remote, Wiring::default()).handle(get(SEGMENT)).await;
    assert_eq!(got.status(), 502);
    assert!(got.into_body().collect().await.unwrap().to_bytes().starts_with(b"{"));
}
