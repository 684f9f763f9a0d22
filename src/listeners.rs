#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: binds listeners, asks for the way to the world.
//! Where a process listens for viewers, and by which URL they reach it.

use crate::config::Config;
use crate::http::BodyError;
use crate::tls;
use crate::wire::WireError;
use bytes::Bytes;
use footlight_edge::serve;
use http::{Request, Response};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A port cannot be had. The operator's to mend.
#[derive(Debug, thiserror::Error)]
#[error("{key} {address}: {cause}; {}, with {key} in the configuration or {flag}", bind_cure(cause))]
pub struct BindError {
    /// The configuration key.
    pub key: &'static str,
    /// The command's flag.
    pub flag: &'static str,
    /// What was asked for.
    pub address: SocketAddr,
    /// The system's words.
    pub cause: std::io::Error,
}

/// What helps where an address cannot be had.
fn bind_cure(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::AddrInUse => "stop what uses it, or choose another",
        ErrorKind::AddrNotAvailable => {
            "this machine does not have that address: choose one that it has, or 0.0.0.0 for all"
        }
        ErrorKind::PermissionDenied => "this user may not: choose a port from 1024",
        _ => "choose another",
    }
}

/// Where viewers, pages and the API are served.
pub(crate) struct Listeners {
    pub(crate) http: TcpListener,
    https: Option<(TcpListener, Arc<rustls::ServerConfig>)>,
}

impl Listeners {
    /// Binds what the configuration names.
    pub(crate) async fn bind(config: &Config, data_dir: Option<&Path>) -> Result<Self, WireError> {
        let http = bind("http.listen", "--http", config.http.listen).await?;
        let https = match config.https.listen.0 {
            Some(listen) => {
                let listener = bind("https.listen", "--https", listen).await?;
                Some((listener, tls::server_config(&config.https, data_dir)?))
            }
            None => None,
        };
        Ok(Self { http, https })
    }

    /// Serves `answer` on all of them until `shutdown`. Gives where they are.
    pub(crate) fn start<A, F, B>(
        self,
        limits: &footlight_edge::Limits,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
        answer: A,
    ) -> (SocketAddr, Option<SocketAddr>)
    where
        A: Fn(Request<hyper::body::Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        let http = address(&self.http);
        tasks.spawn(serve::run(self.http, None, limits.clone(), shutdown.clone().cancelled_owned(), answer.clone()));
        let https = self.https.map(|(listener, tls)| {
            let bound = address(&listener);
            tasks.spawn(serve::run(listener, Some(tls), limits.clone(), shutdown.clone().cancelled_owned(), answer));
            bound
        });
        (http, https)
    }
}

pub(crate) async fn bind(key: &'static str, flag: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|cause| BindError { key, flag, address, cause })
}

pub(crate) fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a bound listener has an address")
}

/// What playback and page URLs begin with.
pub(crate) fn public_url(config: &Config, http: SocketAddr) -> String {
    if http.ip().is_unspecified() && config.http.public_url.is_empty() {
        let guessed = public_url_of("", http, own_address(http.is_ipv6()));
        tracing::warn!(
            "http.public_url is empty and http.listen {http} is no address to reach: URLs begin with {guessed}; set http.public_url to what browsers and players use"
        );
        return guessed;
    }
    public_url_of(&config.http.public_url, http, None)
}

/// The one that was set, or that of the listener: where it listens on all addresses, of one that this machine has.
fn public_url_of(set: &str, http: SocketAddr, own: Option<IpAddr>) -> String {
    if !set.is_empty() {
        return set.trim_end_matches('/').to_owned();
    }
    let ip = if http.ip().is_unspecified() { own.unwrap_or(Ipv4Addr::LOCALHOST.into()) } else { http.ip() };
    format!("http://{}", SocketAddr::new(ip, http.port()))
}

/// The address from which this machine would talk to others: that of its default route. Nothing is sent to find it.
fn own_address(v6_too: bool) -> Option<IpAddr> {
    // Documentation addresses (RFC 5737, RFC 3849): every default route leads there, and nobody is.
    let towards = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
    };
    let v4 = towards(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 = || towards(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    v4.or_else(|| v6().filter(|_| v6_too))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_begin_with_what_can_be_reached() {
        let check = |set: &str, http: &str, own: Option<&str>, want: &str| {
            let own = own.map(|own| own.parse().expect("an address"));
            assert_eq!(public_url_of(set, http.parse().expect("an address"), own), want);
        };
        check("https://live.example.org/", "0.0.0.0:8080", None, "https://live.example.org");
        check("", "127.0.0.1:8080", None, "http://127.0.0.1:8080");
        check("", "[::1]:8080", None, "http://[::1]:8080");
        check("", "0.0.0.0:8080", Some("192.0.2.7"), "http://192.0.2.7:8080");
        check("", "[::]:8080", Some("2001:db8::7"), "http://[2001:db8::7]:8080");
        check("", "0.0.0.0:8080", None, "http://127.0.0.1:8080");
    }
}
