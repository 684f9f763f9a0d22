#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: drives one peer connection of the webrtc crate, on sockets of its own.
//! A WHIP client's WebRTC: one connection that sends one picture and one sound to a server. The HTTP around it is the caller's.
//!
//! Full ICE with host candidates of every interface, loopback too; retransmissions on request (RFC 4588); sender reports of our own, so that lip
//! sync does not depend on when a frame was sent. There is no congestion control: the bitrate is the caller's.

use crate::answer::WhipAnswer;
use crate::link::IceServer;
use crate::outgoing::{Origin, Outgoing, Report, ZeroDate, round_trip};
use crate::peer::crypto;
use crate::reports::{RtcpTap, WIRE_SLOT};
use crate::sdp::SdpError;
use bytes::Bytes;
use footlight_media::codec::{Codec, Kind};
use footlight_media::time::{SessionTime, Timescale, WallTime};
use rand::RngCore;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{NackResponderBuilder, Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::transport::RTCIceServer;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtp::packetizer::Payloader;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpRtxParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, SettingEngineBuilder,
};
use webrtc::runtime::TokioRuntime;

/// Bytes of one RTP payload: with RTP, RTX and SRTP overhead below the 1,200 that every path is taken to carry.
const PAYLOAD_BYTES: usize = 1_160;
/// Packets kept for retransmission: at 5 Mbit/s 600 a second, so more than anyone asks back for.
const RETRANSMISSION_PACKETS: u16 = 1_024;
/// Consent (RFC 7675): a server whose checks stop is given up 12 s after the last.
const ICE_DISCONNECTED_AFTER: Duration = Duration::from_secs(8);
const ICE_FAILED_AFTER: Duration = Duration::from_secs(4);
const ICE_KEEPALIVE: Duration = Duration::from_secs(2);
/// Gathering asks STUN and TURN servers where there are any; without an answer the host candidates must do.
const GATHERING_WAIT: Duration = Duration::from_secs(5);
/// A frame whose packets the connection's task has not taken by then is given up: it would be too late anyway.
const FRAME_WAIT: Duration = Duration::from_secs(1);
/// Interfaces that are gathered; a machine with more has containers, not more ways out.
const LOCAL_ADDRESSES: usize = 16;
/// Events that the caller has not looked at. What does not fit is said again: servers repeat their requests.
const EVENTS: usize = 64;
const VIDEO_PAYLOAD_TYPE: u8 = 96;
const VIDEO_RTX_PAYLOAD_TYPE: u8 = 97;
const AUDIO_PAYLOAD_TYPE: u8 = 111;

/// The picture that will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoFormat {
    /// H.264 in packetization mode 1, with the three bytes of its `profile-level-id` (RFC 6184 section 8.1).
    H264 {
        /// profile_idc, constraint flags, level_idc.
        profile_level_id: [u8; 3],
    },
    /// VP8.
    Vp8,
}

/// What will be sent: a picture, a sound (Opus, stereo), or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// The picture's format, where there is one.
    pub video: Option<VideoFormat>,
    /// Whether there is a sound.
    pub audio: bool,
}

/// Why there is no connection, or no more.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's answer cannot be used. The server's fault; the same offer will have the same answer.
    #[error("the server's answer: {0}")]
    Answer(#[from] SdpError),
    /// The connection could not be made: sockets, or the crate. Ours; trying again may help.
    #[error("{0}")]
    Local(String),
    /// The connection's task takes no frames. Trying again with a new connection helps.
    #[error("the connection takes no frames")]
    Stuck,
}

fn local(error: impl std::fmt::Display) -> ClientError {
    ClientError::Local(error.to_string())
}

/// What a connection says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEvent {
    /// Frames sent from now on arrive.
    Connected,
    /// It is over: no consent any more, or DTLS failed.
    Failed,
    /// The server cannot go on before a key frame (PLI, FIR).
    KeyFrameWanted,
    /// Packets were asked for again.
    Retransmissions(u32),
    /// The time to the server and back, by RTCP.
    RoundTrip(Duration),
}

/// One connection to a server.
pub struct Publisher {
    connection: Arc<dyn PeerConnection>,
    clock: Clock,
    video: Option<Sending>,
    audio: Option<Sending>,
}

/// The session clock and its date.
#[derive(Debug, Clone, Copy)]
struct Clock {
    epoch: Instant,
    zero: ZeroDate,
}

impl Clock {
    fn at(self, now: Instant) -> SessionTime {
        SessionTime::ZERO + now.saturating_duration_since(self.epoch)
    }
}

/// One track.
struct Sending {
    track: Arc<TrackLocalStaticRTP>,
    payload_type: u8,
    payloader: Box<dyn Payloader>,
    outgoing: Outgoing,
}

impl Publisher {
    /// Makes a connection and its offer. `epoch` is the zero of the frames' times. The offer names all candidates, so nothing is trickled.
    pub async fn offer(
        media: Media,
        ice_servers: &[IceServer],
        epoch: Instant,
        zero_date: WallTime,
    ) -> Result<(Self, String, mpsc::Receiver<ClientEvent>), ClientError> {
        let clock = Clock { epoch, zero: ZeroDate(zero_date) };
        let (events, inbox) = mpsc::channel(EVENTS);
        let (gathered, gathering) = watch::channel(false);
        let heard = events.clone();
        let tap = RtcpTap::new(move |packet, now| {
            if let Some(event) = feedback(packet, clock, now) {
                let _ = heard.try_send(event);
            }
        });
        let registry = Registry::new()
            .with(Slot::from(WIRE_SLOT), tap)
            .with(Slot::NackResponder, NackResponderBuilder::new().with_size(RETRANSMISSION_PACKETS).build());
        let settings = SettingEngineBuilder::new()
            .with_crypto_provider(crypto().map_err(local)?)
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_ice_timeouts(Some(ICE_DISCONNECTED_AFTER), Some(ICE_FAILED_AFTER), Some(ICE_KEEPALIVE))
            .build();
        let configuration =
            RTCConfigurationBuilder::new().with_ice_servers(ice_servers.iter().map(ice_server).collect()).build();
        let connection = PeerConnectionBuilder::<SocketAddr>::new()
            .with_configuration(configuration)
            .with_media_engine(media_engine(media).map_err(local)?)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_runtime(Arc::new(TokioRuntime))
            .with_handler(Arc::new(Watcher { events, gathered }))
            .with_udp_addrs(local_addresses().into_iter().map(|ip| SocketAddr::new(ip, 0)).collect())
            .build()
            .await
            .map_err(local)?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let mut publisher = Self { connection, clock, video: None, audio: None };
        match publisher.make_offer(media, gathering).await {
            Ok(offer) => Ok((publisher, offer, inbox)),
            Err(error) => {
                publisher.close().await;
                Err(error)
            }
        }
    }

    async fn make_offer(&mut self, media: Media, mut gathering: watch::Receiver<bool>) -> Result<String, ClientError> {
        // One stream, so that the server knows that the two belong together (RFC 9725 section 4.4.2).
        let stream = format!("{:016x}", rand::rng().next_u64());
        if let Some(format) = media.video {
            self.video = Some(self.add_track(&stream, video_codec(format), Kind::Video).await?);
        }
        if media.audio {
            self.audio = Some(self.add_track(&stream, audio_codec(), Kind::Audio).await?);
        }
        let offer = self.connection.create_offer(None).await.map_err(local)?;
        self.connection.set_local_description(offer).await.map_err(local)?;
        let _host_candidates_must_do =
            tokio::time::timeout(GATHERING_WAIT, gathering.wait_for(|done| *done)).await.is_err();
        let offer = self.connection.local_description().await.ok_or_else(|| local("no local description"))?;
        Ok(offer.sdp)
    }

    async fn add_track(&self, stream: &str, codec: RTCRtpCodecParameters, kind: Kind) -> Result<Sending, ClientError> {
        let (rtp_kind, timescale, name) = match kind {
            Kind::Video => (RtpCodecKind::Video, Timescale::VIDEO, "video"),
            Kind::Audio => (RtpCodecKind::Audio, Timescale::AUDIO_48K, "audio"),
        };
        let random = || rand::rng().next_u32();
        let origin = Origin {
            ssrc: random(),
            // RFC 3550 section 5.1 wants it random; below half, so that no wrap falls into the first seconds of SRTP (RFC 3711 section 3.3.1).
            sequence: u16::try_from(random() % 32_768).expect("below 32,768"),
            timestamp: random(),
        };
        // Sound is not retransmitted: in-band FEC and concealment stand in for it.
        let rtx = (kind == Kind::Video).then(|| RTCRtpRtxParameters { ssrc: random() });
        let payloader = codec.rtp_codec.payloader().map_err(local)?;
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(origin.ssrc),
                rtx,
                ..RTCRtpCodingParameters::default()
            },
            active: true,
            codec: codec.rtp_codec.clone(),
            ..RTCRtpEncodingParameters::default()
        };
        let id = format!("{stream}-{name}");
        let described = MediaStreamTrack::new(stream.to_owned(), id, name.to_owned(), rtp_kind, vec![coding]);
        let track = Arc::new(TrackLocalStaticRTP::new(described));
        let direction = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: vec![stream.to_owned()],
            ..RTCRtpTransceiverInit::default()
        };
        let as_local = Arc::clone(&track) as Arc<dyn TrackLocal>;
        self.connection.add_transceiver_from_track(as_local, Some(direction)).await.map_err(local)?;
        let outgoing = Outgoing::new(origin, timescale);
        Ok(Sending { track, payload_type: codec.payload_type, payloader, outgoing })
    }

    /// Takes the server's answer; [`ClientEvent::Connected`] follows.
    pub async fn accept(&self, answer: &str) -> Result<(), ClientError> {
        let answer = WhipAnswer::parse(answer)?;
        if answer.candidates == 0 {
            return Err(SdpError::Malformed("no candidate to send to".into()).into());
        }
        let refused = |e: &dyn std::fmt::Display| ClientError::Answer(SdpError::Malformed(e.to_string()));
        let description = RTCSessionDescription::answer(answer.sdp).map_err(|e| refused(&e))?;
        self.connection.set_remote_description(description).await.map_err(|e| refused(&e))
    }

    /// Sends one frame in the form that [`Codec`] names, and a sender report where one is due. What is sent before
    /// [`ClientEvent::Connected`] is lost. Frames of a kind that was not offered are left out.
    pub async fn send(&mut self, codec: Codec, time: SessionTime, data: &Bytes) -> Result<(), ClientError> {
        let (clock, now) = (self.clock, Instant::now());
        let sending = match codec.kind() {
            Kind::Video => self.video.as_mut(),
            Kind::Audio => self.audio.as_mut(),
        };
        let Some(sending) = sending else { return Ok(()) };
        match tokio::time::timeout(FRAME_WAIT, sending.send(time, data, clock, now)).await {
            Ok(sent) => sent,
            Err(_) => Err(ClientError::Stuck),
        }
    }

    /// Ends the connection and its task.
    pub async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "close of a publishing connection");
        }
    }
}

impl Sending {
    async fn send(&mut self, time: SessionTime, data: &Bytes, clock: Clock, now: Instant) -> Result<(), ClientError> {
        let payloads = self.payloader.payload(PAYLOAD_BYTES, data).map_err(local)?;
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.into_iter().enumerate() {
            let header = rtc::rtp::Header {
                version: 2,
                // The last packet of a picture (RFC 6184 section 5.1); sound marks the begin of a talkspurt, and there is only one.
                marker: index == last && self.payload_type != AUDIO_PAYLOAD_TYPE,
                payload_type: self.payload_type,
                sequence_number: self.outgoing.next_packet(payload.len()),
                timestamp: self.outgoing.timestamp(time),
                ssrc: self.outgoing.ssrc(),
                ..rtc::rtp::Header::default()
            };
            self.track.write_rtp(rtc::rtp::Packet { header, payload }).await.map_err(local)?;
        }
        if let Some(report) = self.outgoing.report(clock.at(now), clock.zero) {
            let packet = sender_report(self.outgoing.ssrc(), report);
            self.track.write_rtcp(vec![Box::new(packet)]).await.map_err(local)?;
        }
        Ok(())
    }
}

fn sender_report(ssrc: u32, report: Report) -> SenderReport {
    SenderReport {
        ssrc,
        ntp_time: report.ntp,
        rtp_time: report.rtp,
        packet_count: report.packets,
        octet_count: report.octets,
        ..SenderReport::default()
    }
}

fn ice_server(server: &IceServer) -> RTCIceServer {
    let (username, credential) = server.credentials.clone().unwrap_or_default();
    RTCIceServer { urls: vec![server.url.clone()], username, credential }
}

/// Addresses that sockets are bound to: of each interface, loopback too, so that a server on this machine is reached whatever it announces.
fn local_addresses() -> Vec<IpAddr> {
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        // Without its zone, which a candidate cannot name, a link-local address is none.
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let interfaces = rtc::shared::ifaces::ifaces().unwrap_or_default();
    let mut addresses: Vec<IpAddr> =
        interfaces.iter().filter_map(|interface| Some(interface.addr?.ip())).filter(usable).collect();
    addresses.sort();
    addresses.dedup();
    addresses.truncate(LOCAL_ADDRESSES);
    addresses
}

/// One codec for each kind, so that no other can be answered.
fn media_engine(media: Media) -> Result<MediaEngine, webrtc::error::Error> {
    let mut engine = MediaEngine::default();
    if let Some(format) = media.video {
        engine.register_codec(video_codec(format), RtpCodecKind::Video)?;
        let rtp_codec = RTCRtpCodec {
            mime_type: "video/rtx".into(),
            clock_rate: 90_000,
            sdp_fmtp_line: format!("apt={VIDEO_PAYLOAD_TYPE}"),
            ..RTCRtpCodec::default()
        };
        let rtx = RTCRtpCodecParameters { rtp_codec, payload_type: VIDEO_RTX_PAYLOAD_TYPE };
        engine.register_codec(rtx, RtpCodecKind::Video)?;
    }
    if media.audio {
        engine.register_codec(audio_codec(), RtpCodecKind::Audio)?;
    }
    Ok(engine)
}

fn video_codec(format: VideoFormat) -> RTCRtpCodecParameters {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback { typ: typ.into(), parameter: parameter.into() };
    let (mime_type, sdp_fmtp_line) = match format {
        VideoFormat::H264 { profile_level_id: [profile, constraints, level] } => (
            "video/H264",
            format!(
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile:02x}{constraints:02x}{level:02x}"
            ),
        ),
        VideoFormat::Vp8 => ("video/VP8", String::new()),
    };
    let rtp_codec = RTCRtpCodec {
        mime_type: mime_type.into(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line,
        rtcp_feedback: vec![feedback("nack", ""), feedback("nack", "pli"), feedback("ccm", "fir")],
    };
    RTCRtpCodecParameters { rtp_codec, payload_type: VIDEO_PAYLOAD_TYPE }
}

fn audio_codec() -> RTCRtpCodecParameters {
    let rtp_codec = RTCRtpCodec {
        mime_type: "audio/opus".into(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1".into(),
        rtcp_feedback: Vec::new(),
    };
    RTCRtpCodecParameters { rtp_codec, payload_type: AUDIO_PAYLOAD_TYPE }
}

/// Passes the connection's states on. Never waits: it is called on the connection's task.
struct Watcher {
    events: mpsc::Sender<ClientEvent>,
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
        if state == RTCIceConnectionState::Failed {
            let _ = self.events.try_send(ClientEvent::Failed);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let event = match state {
            RTCPeerConnectionState::Connected => ClientEvent::Connected,
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => ClientEvent::Failed,
            _ => return,
        };
        let _ = self.events.try_send(event);
    }
}

/// What the server says of what it gets: the crate acts on it and tells nobody.
fn feedback(packet: &dyn rtc::rtcp::Packet, clock: Clock, now: Instant) -> Option<ClientEvent> {
    let any = packet.as_any();
    if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
        return Some(ClientEvent::KeyFrameWanted);
    }
    if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
        return Some(ClientEvent::Retransmissions(
            nack.nacks.iter().map(|pair| 1 + pair.lost_packets.count_ones()).sum(),
        ));
    }
    let report = any.downcast_ref::<ReceiverReport>()?;
    let now_ntp = clock.zero.ntp(clock.at(now));
    let trip = report.reports.iter().find_map(|r| round_trip(now_ntp, r.last_sender_report, r.delay))?;
    Some(ClientEvent::RoundTrip(trip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_server_that_is_recommended_and_taken_can_be_asked(
            scheme in "stuns?:|turns?:|sip:|",
            address in r"[a-z0-9._-]{0,8}(:[0-9+]{0,6})?|\[[0-9a-f:]{0,12}\](:[0-9]{0,5})?|[\x20-\x3d\x3f-\x7e]{0,12}",
            query in r"(\?(transport=(udp|tcp|tls)|[a-z=&]{0,8}))?",
            credentials in "(; username=u)?(; credential=p)?",
        ) {
            let header = format!("<{scheme}{address}{query}>; rel=ice-server{credentials}");
            for server in crate::link::ice_servers([header.as_str()]) {
                let taken = ice_server(&server).urls();
                prop_assert!(taken.is_ok(), "{header}: {taken:?}");
            }
        }
    }
}
