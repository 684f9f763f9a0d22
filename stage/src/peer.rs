#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: drives one peer connection of the webrtc crate.
//! One WebRTC connection to one peer, receiving only.

use crate::mux::{Credentials, Mux};
use crate::port::Port;
use crate::reports::{self, Feedback, MediaTap, RtcpTap};
use crate::round_trip;
use crate::sdp::{Answer, Offer, OfferedMedia};
use crate::session::{RtpPacket, SenderReport};
use crate::simulcast::{REPAIRED_RID_URI, RID_URI};
use footlight_media::codec::Kind;
use footlight_media::time::SessionTime;
use rtc::crypto::{RTCCryptoProvider, SignatureScheme, default_provider};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{ReceiverReportBuilder, Registry, Slot};
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use rtc::peer_connection::configuration::interceptor_registry::configure_twcc_receiver_only;
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, SettingEngineBuilder,
};

/// Consent: a peer whose checks stop is `disconnected` after 8 s and failed 4 s later (aiortc checks every 5 s, so
/// less would make it flap). RFC 7675 allows up to 30 s.
const ICE_DISCONNECTED_AFTER: Duration = Duration::from_secs(8);
const ICE_FAILED_AFTER: Duration = Duration::from_secs(4);
const ICE_KEEPALIVE: Duration = Duration::from_secs(2);
/// Gathering is local and takes a millisecond; this only bounds a bug.
const GATHERING_WAIT: Duration = Duration::from_secs(2);
/// Closing takes milliseconds; whoever waits for it, as an ending server does, waits no longer than this.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// Requests under way to one sender: they leave with the next packet that comes.
const FEEDBACK_QUEUE: usize = 32;
/// Arrivals of one peer that the owner loop has not looked at yet. A peer at 5 Mbit/s sends 600 packets a second, so
/// this is most of a second; who floods loses their own packets and nobody else's.
pub(crate) const IN_FLIGHT_PER_PEER: usize = 512;

/// What all connections share.
pub(crate) struct Endpoint {
    mux: Mux,
    certificate: RTCCertificate,
    crypto: Arc<dyn RTCCryptoProvider>,
    announce: Vec<IpAddr>,
}

/// Why a connection was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NegotiationError {
    /// The client's offer cannot be answered as it stands; sending it again changes nothing.
    #[error("{0}")]
    Rejected(String),
    /// Ours; trying again may help.
    #[error("{0}")]
    Internal(String),
}

/// The cryptography of all connections.
pub(crate) fn crypto() -> Result<Arc<dyn RTCCryptoProvider>, NegotiationError> {
    default_provider().map_err(internal)
}

/// The process's DTLS identity: one certificate for all connections, made at the start.
fn certificate(crypto: &dyn RTCCryptoProvider) -> Result<RTCCertificate, NegotiationError> {
    // P-256: every WebRTC client takes it (RFC 8827 section 6.5).
    let params = CertificateParams::new(Vec::new()).map_err(internal)?;
    RTCCertificate::generate(crypto.crypto(), SignatureScheme::EcdsaP256Sha256, params).map_err(internal)
}

fn internal(error: impl std::fmt::Display) -> NegotiationError {
    NegotiationError::Internal(error.to_string())
}

fn rejected(error: impl std::fmt::Display) -> NegotiationError {
    NegotiationError::Rejected(error.to_string())
}

impl Endpoint {
    /// `announce` are the addresses in the answers; empty means those of the bound socket.
    pub(crate) fn new(
        mux: Mux,
        crypto: Arc<dyn RTCCryptoProvider>,
        announce: Vec<IpAddr>,
    ) -> Result<Self, NegotiationError> {
        let certificate = certificate(&*crypto)?;
        let bound = mux.local_addr().ip();
        let announce = match (announce.is_empty(), bound.is_unspecified()) {
            (false, _) => announce,
            (true, false) => vec![bound],
            (true, true) => interface_addresses(bound.is_ipv6()),
        };
        Ok(Self { mux, certificate, crypto, announce })
    }

    /// Where peers reach this endpoint.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.mux.local_addr()
    }

    /// Answers an offer. When this returns, the peer's first check is already expected.
    pub(crate) async fn negotiate(&self, offer: &Offer, sink: Sink) -> Result<(Peer, Answer), NegotiationError> {
        let port = self.mux.open_port();
        let (feedback, requests) = mpsc::channel(FEEDBACK_QUEUE);
        let mut media = media_engine(offer).map_err(internal)?;
        let registry = interceptors(&mut media, offer, &sink, requests).map_err(internal)?;
        let (gathered, gathering) = watch::channel(false);
        let settings = SettingEngineBuilder::new()
            .with_crypto_provider(Arc::clone(&self.crypto))
            .with_lite(true)
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_answering_dtls_role(if offer.passive { RTCDtlsRole::Client } else { RTCDtlsRole::Server })
            .with_ice_timeouts(Some(ICE_DISCONNECTED_AFTER), Some(ICE_FAILED_AFTER), Some(ICE_KEEPALIVE))
            .build();
        let configuration = RTCConfigurationBuilder::new().with_certificates(vec![self.certificate.clone()]).build();
        let connection = PeerConnectionBuilder::<SocketAddr>::new()
            .with_configuration(configuration)
            .with_media_engine(media)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_runtime(port.runtime({
                let sink = sink.clone();
                move || sink.failed()
            }))
            .with_handler(Arc::new(Watcher { sink, gathered }))
            .with_udp_addrs(port.virtual_addresses())
            .with_tcp_addrs(port.virtual_addresses())
            .build()
            .await
            .map_err(internal)?;
        let peer = Peer { connection: Arc::new(connection), port, feedback };
        match self.answer(&peer, offer, gathering).await {
            Ok(answer) => Ok((peer, answer)),
            Err(error) => {
                peer.close().await;
                Err(error)
            }
        }
    }

    /// Renews the ICE credentials of both sides; the DTLS connection and the media go on.
    pub(crate) async fn restart_ice(&self, peer: &Peer, offer: &Offer) -> Result<Answer, NegotiationError> {
        // Local candidates survive a restart, so there is nothing to wait for.
        let (_, gathered) = watch::channel(true);
        self.answer(peer, offer, gathered).await
    }

    async fn answer(
        &self,
        peer: &Peer,
        offer: &Offer,
        mut gathering: watch::Receiver<bool>,
    ) -> Result<Answer, NegotiationError> {
        let description = RTCSessionDescription::offer(offer.sdp.clone()).map_err(rejected)?;
        peer.connection.set_remote_description(description).await.map_err(rejected)?;
        let answer = peer.connection.create_answer(None).await.map_err(rejected)?;
        peer.connection.set_local_description(answer).await.map_err(internal)?;
        let _ = tokio::time::timeout(GATHERING_WAIT, gathering.wait_for(|done| *done)).await;
        let local = peer.connection.local_description().await.ok_or_else(|| internal("no local description"))?;
        let port = self.mux.local_addr().port();
        let answer = Answer::with_candidates(&local.sdp, &self.announce, port)
            .ok_or_else(|| internal("an answer without ICE credentials"))?
            .in_stereo();
        // No partly accepted answers (RFC 9725 section 4.4.3).
        if answer.sdp.lines().any(|line| line.starts_with("m=") && line.split(' ').nth(1) == Some("0")) {
            return Err(rejected("a media section could not be accepted"));
        }
        let credentials = Credentials { ufrag: answer.ufrag.clone(), pwd: answer.pwd.clone() };
        self.mux.register(credentials, &peer.port).await;
        Ok(answer)
    }
}

/// The addresses that peers may be told when the socket is bound to all of them.
fn interface_addresses(v6_too: bool) -> Vec<IpAddr> {
    let interfaces = rtc::shared::ifaces::ifaces().unwrap_or_default();
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
        IpAddr::V6(ip) => v6_too && !ip.is_loopback() && !ip.is_unicast_link_local(),
    };
    let mut addresses: Vec<IpAddr> =
        interfaces.iter().filter_map(|interface| Some(interface.addr?.ip())).filter(usable).collect();
    if addresses.is_empty() {
        addresses.push(IpAddr::from([127, 0, 0, 1]));
    }
    addresses
}

/// One codec per section, as [`Offer`] chose it, under the offer's own payload type: so nothing else can be answered.
fn media_engine(offer: &Offer) -> Result<MediaEngine, webrtc::error::Error> {
    let mut engine = MediaEngine::default();
    for (media, kind) in [(&offer.audio, RtpCodecKind::Audio), (&offer.video, RtpCodecKind::Video)] {
        let Some(media) = media else { continue };
        engine.register_codec(codec(media), kind)?;
        if let Some(payload_type) = media.rtx_payload_type {
            let rtp_codec = RTCRtpCodec {
                mime_type: "video/rtx".into(),
                clock_rate: 90_000,
                sdp_fmtp_line: format!("apt={}", media.payload_type),
                ..RTCRtpCodec::default()
            };
            engine.register_codec(RTCRtpCodecParameters { rtp_codec, payload_type }, kind)?;
        }
        let layers: &[&str] = if media.simulcast.is_some() { &[RID_URI, REPAIRED_RID_URI] } else { &[] };
        for uri in ["urn:ietf:params:rtp-hdrext:sdes:mid"].iter().chain(layers) {
            let uri = (*uri).to_owned();
            engine.register_header_extension(RTCRtpHeaderExtensionCapability { uri }, kind, None)?;
        }
    }
    Ok(engine)
}

fn codec(media: &OfferedMedia) -> RTCRtpCodecParameters {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback { typ: typ.into(), parameter: parameter.into() };
    let video = media.codec.kind() == Kind::Video;
    let rtp_codec = RTCRtpCodec {
        mime_type: format!("{}/{}", if video { "video" } else { "audio" }, media.codec.encoding_name()),
        clock_rate: if video { 90_000 } else { 48_000 },
        channels: if video { 0 } else { 2 },
        // The connection answers with the offer's own whatever stands here. Of Opus that keeps `useinbandfec=1`, from which lost voices are put together;
        // stereo is asked for in the answer (see `Answer::in_stereo`).
        sdp_fmtp_line: media.fmtp.clone(),
        rtcp_feedback: match video {
            true => vec![feedback("nack", ""), feedback("nack", "pli"), feedback("ccm", "fir")],
            false => Vec::new(),
        },
    };
    RTCRtpCodecParameters { rtp_codec, payload_type: media.payload_type }
}

/// The chain, from the wire to the application. Nothing is sent but feedback, so what serves senders is left out; and
/// the session itself asks for what is missing, because it knows what is still worth having.
fn interceptors(
    media: &mut MediaEngine,
    offer: &Offer,
    sink: &Sink,
    requests: mpsc::Receiver<Feedback>,
) -> Result<Registry, webrtc::error::Error> {
    let reporting = sink.clone();
    let reports = RtcpTap::new(move |packet, now| {
        if let Some(report) = reports::sender_report(packet) {
            reporting.sender_report(now, report);
        }
        if let Some((last, delay)) = reports::reference_answer(packet) {
            reporting.reference_answer(now, last, delay);
        }
    });
    let simulcast = offer.video.as_ref().and_then(|video| video.simulcast.clone());
    let registry = Registry::new()
        .with(Slot::from(reports::WIRE_SLOT), reports)
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build())
        .with(Slot::from(reports::MEDIA_SLOT), MediaTap::new(sink.clone(), simulcast, requests));
    configure_twcc_receiver_only(registry, media)
}

/// One connection.
pub(crate) struct Peer {
    connection: Arc<dyn PeerConnection>,
    port: Arc<Port>,
    feedback: mpsc::Sender<Feedback>,
}

impl Peer {
    /// Sends feedback with the next packet that comes.
    pub(crate) fn send(&self, feedback: Feedback) {
        // Full means that nothing has come since as many requests: then nothing is there to repair.
        let _ = self.feedback.try_send(feedback);
    }

    /// Datagrams that arrived and were lost before the connection read them.
    pub(crate) fn datagrams_dropped(&self) -> u64 {
        self.port.dropped()
    }

    /// Ends the connection and its task.
    pub(crate) async fn close(&self) {
        match tokio::time::timeout(CLOSE_WAIT, self.connection.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "close of a peer connection"),
            Err(_) => tracing::warn!("a peer connection did not close within {CLOSE_WAIT:?}"),
        }
    }
}

/// What a connection says of itself, to the owner loop.
pub(crate) struct FromPeer {
    pub(crate) session: u64,
    pub(crate) now: SessionTime,
    pub(crate) event: PeerEvent,
}

/// See [`FromPeer`].
pub(crate) enum PeerEvent {
    Rtp(RtpPacket),
    Report(SenderReport),
    /// Consent expired, DTLS failed, or nothing works for the connection any more.
    Failed,
}

/// Where a connection's taps put what they see. Its caller never waits: it holds the connection's lock.
#[derive(Clone)]
pub(crate) struct Sink {
    session: u64,
    epoch: Instant,
    inbox: mpsc::Sender<FromPeer>,
    pub(crate) gate: Arc<Gate>,
}

/// Counters that the connection's task writes and the owner loop reads.
#[derive(Default)]
pub(crate) struct Gate {
    /// Arrivals sent and not yet looked at.
    pub(crate) in_flight: AtomicUsize,
    /// DTLS is up.
    pub(crate) connected: AtomicBool,
    /// Its end has been told of.
    failed: AtomicBool,
    /// Arrivals dropped because [`IN_FLIGHT_PER_PEER`] were.
    pub(crate) dropped: AtomicU64,
    /// The last round trip that was measured, in microseconds; 0 before the first.
    round_trip_us: AtomicU64,
}

impl Gate {
    /// The last round trip that was measured, where the peer answers.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let us = self.round_trip_us.load(Ordering::Relaxed);
        (us > 0).then(|| Duration::from_micros(us))
    }
}

impl Sink {
    pub(crate) fn new(session: u64, epoch: Instant, inbox: mpsc::Sender<FromPeer>) -> Self {
        Self { session, epoch, inbox, gate: Arc::new(Gate::default()) }
    }

    pub(crate) fn rtp(&self, now: Instant, packet: RtpPacket) {
        self.send(now, PeerEvent::Rtp(packet));
    }

    pub(crate) fn sender_report(&self, now: Instant, report: SenderReport) {
        self.send(now, PeerEvent::Report(report));
    }

    /// The time since the stage's epoch, by which round trips are measured.
    pub(crate) fn since_epoch(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.epoch)
    }

    /// The peer repeats a reference time that it was sent.
    fn reference_answer(&self, now: Instant, last: u32, delay: u32) {
        if let Some(round_trip) = round_trip::round_trip(self.since_epoch(now), last, delay) {
            let us = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
            self.gate.round_trip_us.store(us.max(1), Ordering::Relaxed);
        }
    }

    /// Tells of the connection's end, once, after what waits however long that takes: nothing would tell of it again.
    pub(crate) fn failed(&self) {
        if self.gate.failed.swap(true, Ordering::Relaxed) {
            return;
        }
        self.gate.in_flight.fetch_add(1, Ordering::Relaxed);
        let (arrival, inbox) = (self.stamped(Instant::now(), PeerEvent::Failed), self.inbox.clone());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let _the_owner_has_ended = inbox.send(arrival).await;
        });
    }

    fn stamped(&self, now: Instant, event: PeerEvent) -> FromPeer {
        let now = SessionTime::ZERO + now.saturating_duration_since(self.epoch);
        FromPeer { session: self.session, now, event }
    }

    fn send(&self, now: Instant, event: PeerEvent) {
        let admitted = self.gate.in_flight.fetch_add(1, Ordering::Relaxed) < IN_FLIGHT_PER_PEER
            && self.inbox.try_send(self.stamped(now, event)).is_ok();
        if !admitted {
            self.gate.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.gate.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Passes the connection's states on.
struct Watcher {
    sink: Sink,
    gathered: watch::Sender<bool>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Watcher {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.send_replace(true);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        // Disconnected is no end: media may flow all the while, and consent may come back.
        if state == RTCIceConnectionState::Failed {
            self.sink.failed();
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connected => self.sink.gate.connected.store(true, Ordering::Relaxed),
            RTCPeerConnectionState::Failed => self.sink.failed(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_connection_is_told_however_much_waits() {
        let (inbox, mut arrivals) = mpsc::channel(1);
        let sink = Sink::new(7, Instant::now(), inbox);
        for _ in 0..3 {
            sink.sender_report(Instant::now(), SenderReport { ssrc: 1, ntp: 2, rtp: 3 });
        }
        sink.failed();
        sink.failed();
        assert!(matches!(arrivals.recv().await.expect("one had room").event, PeerEvent::Report(_)));
        let end = arrivals.recv().await.expect("the end");
        assert!(matches!(end.event, PeerEvent::Failed));
        assert!(arrivals.try_recv().is_err(), "once");
        assert_eq!((end.session, sink.gate.dropped.load(Ordering::Relaxed)), (7, 2));
    }
}
