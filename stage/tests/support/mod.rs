#![allow(clippy::disallowed_methods, dead_code)] // IO: a WebRTC client; and each test uses a part of it.
//! An independent WebRTC peer (str0m) that publishes over real sockets on loopback.
//!
//! It names nothing of the product, so that the process's own tests and benches can use it against a whole server:
//! `#[path = "../stage/tests/support/mod.rs"] mod support;`.

pub mod live;
pub mod media;
pub mod relay;

use media::{Clip, Frame, Video, packetize};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid, Pt, Simulcast};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};

/// Frames of a clip that a test is told of: ten minutes at 30 fps.
const TOLD_FRAMES: usize = 18_000;

/// What a client offers.
#[derive(Debug, Clone)]
pub struct Setup {
    pub video: Vec<Video>,
    pub audio: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { video: vec![Video::H264, Video::Vp8], audio: true }
    }
}

/// One RTP packet to send, exactly as written here.
#[derive(Debug, Clone)]
pub struct Packet {
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Arc<[u8]>,
}

/// Where datagrams go.
enum Transport {
    Udp { socket: UdpSocket, through: Option<SocketAddr>, server: Option<SocketAddr> },
    Tcp { stream: Option<TcpStream>, server: SocketAddr, read: Vec<u8> },
}

/// What has happened to a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// DTLS is up.
    pub connected: bool,
    /// A candidate pair works; false again while ICE restarts.
    pub ice_connected: bool,
    pub ice_disconnected: bool,
    pub key_frame_requests: u64,
    pub video_frames: u64,
    pub audio_frames: u64,
}

/// The client.
pub struct Client {
    rtc: Rtc,
    transport: Transport,
    local: SocketAddr,
    offer: String,
    answer: String,
    pending: Option<SdpPendingOffer>,
    video: Option<Mid>,
    audio: Option<Mid>,
    pub seen: Seen,
    publishing: Option<Publishing>,
    live: Option<live::Sending>,
    scripted: VecDeque<(Instant, MediaKind, Packet)>,
}

/// A client that runs by itself.
pub struct Running {
    pub seen: watch::Receiver<Seen>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Publishing {
    clip: Option<Clip>,
    audio: bool,
    started: Option<Instant>,
    video_sequence: u64,
    audio_sequence: u64,
    /// When nothing is sent, counted from the start.
    muted: Range<Duration>,
    /// Where in the clip the next frame is; goes on at the next key frame when one was asked for.
    at: usize,
    /// Told of each frame of the clip as it is sent.
    sent: Option<mpsc::Sender<(Instant, usize)>>,
    /// Key frame requests that were answered.
    answered: u64,
}

impl Client {
    /// Over UDP; `through` is a relay that stands in for the server.
    pub async fn udp(setup: &Setup, through: Option<SocketAddr>) -> Self {
        Self::udp_from(setup, "127.0.0.1:0", through).await
    }

    /// Over UDP from this address.
    pub async fn udp_from(setup: &Setup, local: &str, through: Option<SocketAddr>) -> Self {
        Self::bound(setup, None, local, through).await
    }

    async fn bound(setup: &Setup, layers: Option<Simulcast>, local: &str, through: Option<SocketAddr>) -> Self {
        let socket = UdpSocket::bind(local).await.unwrap();
        let local = socket.local_addr().unwrap();
        let candidate = Candidate::host(local, Protocol::Udp).unwrap();
        Self::new(setup, layers, local, candidate, Transport::Udp { socket, through, server: None })
    }

    /// Over TCP to the server's passive candidate.
    pub async fn tcp(setup: &Setup, server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        let local = stream.local_addr().unwrap();
        let candidate = Candidate::builder().tcp().host(local).tcptype(TcpType::Active).build().unwrap();
        Self::new(setup, None, local, candidate, Transport::Tcp { stream: Some(stream), server, read: Vec::new() })
    }

    fn new(
        setup: &Setup,
        layers: Option<Simulcast>,
        local: SocketAddr,
        candidate: Candidate,
        transport: Transport,
    ) -> Self {
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(setup.video.contains(&Video::H264))
            .enable_vp8(setup.video.contains(&Video::Vp8))
            .enable_vp9(setup.video.contains(&Video::Vp9))
            .enable_av1(setup.video.contains(&Video::Av1))
            .set_rtp_mode(true)
            .build(Instant::now());
        rtc.add_local_candidate(candidate);
        let mut change = rtc.sdp_api();
        let stream = Some("stream".to_owned());
        let mut media = |kind, layers| change.add_media(kind, Direction::SendOnly, stream.clone(), None, layers);
        let audio = setup.audio.then(|| media(MediaKind::Audio, None));
        let video = (!setup.video.is_empty()).then(|| media(MediaKind::Video, layers));
        let (offer, pending) = change.apply().unwrap();
        Self {
            rtc,
            transport,
            local,
            offer: offer.to_sdp_string(),
            answer: String::new(),
            pending: Some(pending),
            video,
            audio,
            seen: Seen::default(),
            publishing: None,
            live: None,
            scripted: VecDeque::new(),
        }
    }

    pub fn offer(&self) -> &str {
        &self.offer
    }

    /// The server's last answer.
    pub fn answer(&self) -> &str {
        &self.answer
    }

    /// Takes the server's answer.
    pub fn accept(&mut self, answer: &str) {
        self.answer = answer.to_owned();
        let mut answer = answer.to_owned();
        if let Transport::Udp { through: Some(relay), server, .. } = &mut self.transport {
            *server = udp_candidate(&answer);
            let port = server.unwrap().port().to_string();
            answer = answer.replace(&format!(" {port} typ host"), &format!(" {} typ host", relay.port()));
        }
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        self.rtc.sdp_api().accept_answer(self.pending.take().unwrap(), answer).unwrap();
    }

    /// Takes the fragment that answers an ICE restart: the last answer with the fragment's credentials.
    pub fn accept_restart(&mut self, fragment: &str) {
        let value = |name: &str| fragment.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let (ufrag, pwd) = (value("a=ice-ufrag:"), value("a=ice-pwd:"));
        let answer = self.answer.lines().map(|line| match line {
            _ if line.starts_with("a=ice-ufrag:") => &ufrag,
            _ if line.starts_with("a=ice-pwd:") => &pwd,
            _ => line,
        });
        let answer: String = answer.map(|line| format!("{line}\r\n")).collect();
        self.accept(&answer);
    }

    /// New ICE credentials, as the fragment of an ICE restart.
    pub fn restart_ice(&mut self) -> String {
        let mut change = self.rtc.sdp_api();
        let credentials = change.ice_restart(true);
        let (offer, pending) = change.apply().unwrap();
        self.offer = offer.to_sdp_string();
        self.pending = Some(pending);
        self.seen.ice_connected = false;
        format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", credentials.ufrag, credentials.pass)
    }

    /// Sends a clip and silence in real time from now on, or from when it is connected.
    pub fn publish(&mut self, clip: Option<Clip>, audio: bool) {
        self.publishing = Some(Publishing {
            clip,
            audio,
            started: None,
            video_sequence: 1,
            audio_sequence: 1,
            muted: Duration::ZERO..Duration::ZERO,
            at: 0,
            sent: None,
            answered: 0,
        });
    }

    /// Sends neither picture nor sound in this part of the publication's time, and goes on consenting.
    pub fn mute(&mut self, muted: Range<Duration>) {
        self.publishing.as_mut().expect("publish comes first").muted = muted;
    }

    /// When which frame of the clip is sent, from now on.
    pub fn tell_sent(&mut self) -> mpsc::Receiver<(Instant, usize)> {
        let (tell, told) = mpsc::channel(TOLD_FRAMES);
        self.publishing.as_mut().expect("publish comes first").sent = Some(tell);
        told
    }

    /// Sends a packet as it is, at an instant.
    pub fn script(&mut self, at: Instant, kind: MediaKind, packet: Packet) {
        self.scripted.push_back((at, kind, packet));
    }

    /// Runs until `done` says so; checked after everything that happens, and at least each 100 ms.
    pub async fn run_until(&mut self, mut done: impl FnMut(&Seen) -> bool) {
        while !done(&self.seen) {
            self.step(Instant::now() + Duration::from_millis(100)).await;
        }
    }

    /// Runs until an instant.
    pub async fn run_for(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.step(end).await;
        }
    }

    /// Runs as a task from now on, until the handle is dropped: dropped without a word, as a killed process is.
    pub fn spawn(mut self) -> Running {
        let (told, seen) = watch::channel(self.seen);
        let task = tokio::spawn(async move {
            loop {
                self.step(Instant::now() + Duration::from_millis(100)).await;
                told.send_if_modified(|seen| std::mem::replace(seen, self.seen) != self.seen);
            }
        });
        Running { seen, task }
    }

    /// Everything that is due, then one wait: for a datagram, a timer or `end`.
    async fn step(&mut self, end: Instant) {
        self.send_due_media();
        let wake = self.drain().await.min(end).min(self.next_media());
        let local = self.local;
        match &mut self.transport {
            Transport::Udp { socket, through, server } => {
                let mut buffer = [0; 2_048];
                tokio::select! {
                    Ok((bytes, mut source)) = socket.recv_from(&mut buffer) => {
                        if Some(source) == *through && server.is_some() {
                            source = *through.as_ref().unwrap();
                        }
                        receive(&mut self.rtc, Protocol::Udp, source, local, &buffer[..bytes]);
                    }
                    () = tokio::time::sleep_until(wake.into()) => {}
                }
            }
            Transport::Tcp { stream: Some(stream), server, read } => {
                let mut buffer = [0; 2_048];
                tokio::select! {
                    got = stream.read(&mut buffer) => {
                        let bytes = got.unwrap_or(0);
                        read.extend_from_slice(&buffer[..bytes]);
                        while let Some(frame) = take_frame(read) {
                            receive(&mut self.rtc, Protocol::Tcp, *server, local, &frame);
                        }
                        if bytes == 0 {
                            tokio::time::sleep_until(wake.into()).await;
                        }
                    }
                    () = tokio::time::sleep_until(wake.into()) => {}
                }
            }
            Transport::Tcp { stream: None, .. } => tokio::time::sleep_until(wake.into()).await,
        }
        let _ = self.rtc.handle_input(Input::Timeout(Instant::now()));
    }

    /// Sends what the client wants sent. Gives the instant of its next timer.
    async fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => return at,
                Ok(Output::Transmit(transmit)) => {
                    let _ = self.send(&transmit.contents, transmit.destination).await;
                }
                Ok(Output::Event(event)) => match event {
                    Event::Connected => self.seen.connected = true,
                    Event::IceConnectionStateChange(state) => match state {
                        IceConnectionState::Disconnected => self.seen.ice_disconnected = true,
                        IceConnectionState::Connected | IceConnectionState::Completed => self.seen.ice_connected = true,
                        _ => {}
                    },
                    Event::KeyframeRequest(_) => self.seen.key_frame_requests += 1,
                    _ => {}
                },
                Err(_) => return Instant::now() + Duration::from_millis(50),
            }
        }
    }

    async fn send(&mut self, bytes: &[u8], destination: SocketAddr) -> io::Result<()> {
        match &mut self.transport {
            Transport::Udp { socket, .. } => socket.send_to(bytes, destination).await.map(|_| ()),
            Transport::Tcp { stream: Some(stream), .. } => {
                let mut frame = (bytes.len() as u16).to_be_bytes().to_vec();
                frame.extend_from_slice(bytes);
                stream.write_all(&frame).await
            }
            Transport::Tcp { stream: None, .. } => Ok(()),
        }
    }

    fn send_due_media(&mut self) {
        let now = Instant::now();
        while self.scripted.front().is_some_and(|(at, ..)| *at <= now) {
            if let Some((_, kind, packet)) = self.scripted.pop_front() {
                self.write(kind, packet, now);
            }
        }
        self.send_due_live(now);
        let Some(mut publishing) = self.publishing.take() else { return };
        if self.seen.connected || publishing.started.is_some() {
            let started = *publishing.started.get_or_insert(now);
            if let Some(clip) = &publishing.clip {
                while started + frame_time(clip, self.seen.video_frames) <= now {
                    let number = self.seen.video_frames;
                    self.seen.video_frames += 1;
                    if publishing.muted.contains(&frame_time(clip, number)) {
                        continue;
                    }
                    if self.seen.key_frame_requests > publishing.answered {
                        publishing.answered = self.seen.key_frame_requests;
                        publishing.at = clip.key_frame_from(publishing.at);
                    }
                    if let Some(sent) = &publishing.sent {
                        sent.try_send((now, publishing.at)).expect("no test sends so many frames");
                    }
                    let frame = &clip.frames[publishing.at];
                    publishing.at = (publishing.at + 1) % clip.frames.len();
                    let timestamp = (number * 90_000 / u64::from(clip.frames_per_second)) as u32;
                    self.write_frame(None, (clip.codec, frame), timestamp, &mut publishing.video_sequence, now);
                }
            }
            while publishing.audio && started + sound_time(self.seen.audio_frames) <= now {
                let number = self.seen.audio_frames;
                self.seen.audio_frames += 1;
                if publishing.muted.contains(&sound_time(number)) {
                    continue;
                }
                let packet = Packet {
                    sequence: publishing.audio_sequence,
                    timestamp: (number * 960) as u32,
                    marker: number == 0,
                    // Opus: CELT, 20 ms, mono, silence (RFC 6716 section 3.1).
                    payload: Arc::new([0xf8, 0xff, 0xfe]),
                };
                self.write(MediaKind::Audio, packet, now);
                publishing.audio_sequence += 1;
            }
        }
        self.publishing = Some(publishing);
    }

    fn next_media(&self) -> Instant {
        let mut next = Instant::now() + Duration::from_secs(1);
        if let Some((at, ..)) = self.scripted.front() {
            next = next.min(*at);
        }
        next = self.next_live().map_or(next, |due| next.min(due));
        if let Some(Publishing { clip, audio, started: Some(started), .. }) = &self.publishing {
            if let Some(clip) = clip {
                next = next.min(*started + frame_time(clip, self.seen.video_frames));
            }
            if *audio {
                next = next.min(*started + sound_time(self.seen.audio_frames));
            }
        }
        next
    }

    /// Sends a frame of a layer, which has no name where there is one alone, as taken `at` this instant.
    fn write_frame(
        &mut self,
        rid: Option<&str>,
        (codec, frame): (Video, &Frame),
        timestamp: u32,
        sequence: &mut u64,
        at: Instant,
    ) {
        let payloads = packetize(codec, frame);
        let last = payloads.len() - 1;
        for (number, payload) in payloads.into_iter().enumerate() {
            let packet = Packet { sequence: *sequence, timestamp, marker: number == last, payload };
            *sequence += 1;
            self.write_layer(MediaKind::Video, rid, packet, at);
        }
    }

    fn write(&mut self, kind: MediaKind, packet: Packet, at: Instant) {
        self.write_layer(kind, None, packet, at);
    }

    fn write_layer(&mut self, kind: MediaKind, rid: Option<&str>, packet: Packet, at: Instant) {
        let mid = if kind == MediaKind::Video { self.video } else { self.audio };
        let Some(mid) = mid else { return };
        let Some(pt) = self.payload_type(mid) else { return };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, rid.map(Into::into)) else { return };
        if packet.sequence == 1 {
            // No cap on the share of retransmissions, which browsers do not have either.
            stream.set_rtx_cache(1_024, Duration::from_secs(3), None);
        }
        let write = RtpWrite::new(pt, packet.sequence.into(), packet.timestamp, at, packet.payload)
            .marker(packet.marker)
            .nackable(kind == MediaKind::Video);
        stream.write_rtp(write);
    }

    fn payload_type(&self, mid: Mid) -> Option<Pt> {
        self.rtc.media(mid)?.remote_pts().first().copied()
    }
}

fn frame_time(clip: &Clip, number: u64) -> Duration {
    Duration::from_micros(number * 1_000_000 / u64::from(clip.frames_per_second))
}

fn sound_time(number: u64) -> Duration {
    Duration::from_millis(20 * number)
}

fn receive(rtc: &mut Rtc, proto: Protocol, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
    if let Ok(contents) = bytes.try_into() {
        let _ = rtc.handle_input(Input::Receive(Instant::now(), Receive { proto, source, destination, contents }));
    }
}

/// One RFC 4571 frame off the front.
fn take_frame(read: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(*read.first_chunk()?));
    if read.len() < 2 + length {
        return None;
    }
    let frame = read[2..2 + length].to_vec();
    read.drain(..2 + length);
    Some(frame)
}

/// The first UDP candidate of an answer.
pub fn udp_candidate(answer: &str) -> Option<SocketAddr> {
    let line = answer.lines().find(|line| line.starts_with("a=candidate:") && line.contains(" udp "))?;
    let mut fields = line.split(' ').skip(4);
    Some(SocketAddr::new(fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
