//! What WHIP asks of SDP (RFC 9725 section 4, RFC 8866, RFC 8840), checked before the `webrtc` crate sees a byte.
//!
//! An offer is taken whole or refused whole (RFC 9725 section 4.4.3): [`Offer::parse`] either finds one codec that
//! footlight speaks in every media section or says what is wrong, and with which part. Remote candidates are counted
//! and dropped: an ICE-lite server never sends to them, so nothing in them can make it speak to an address of a
//! stranger's choice.

use footlight_media::codec::{Codec, Kind};
use std::fmt::Write;
use std::net::IpAddr;

/// The longest offer or fragment, in bytes. Chromium's full offer is about 7 KB.
pub const MAX_SDP_BYTES: usize = 64 * 1024;
/// The most lines of an offer; Chromium's has about 250.
const MAX_LINES: usize = 1_024;
/// The longest line, in bytes.
const MAX_LINE_BYTES: usize = 2_048;
/// The most candidates of an offer or fragment: an interface each for UDP and TCP, IPv4 and IPv6, is about 20.
const MAX_CANDIDATES: usize = 64;
/// ice-ufrag and ice-pwd are 4 or 22 to 256 characters (RFC 8839 section 5.4).
const UFRAG_CHARS: std::ops::RangeInclusive<usize> = 4..=256;
const PWD_CHARS: std::ops::RangeInclusive<usize> = 22..=256;

/// Why an offer or a fragment is refused. All are the client's fault; none is worth sending again unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Not text, or a line that is not `<letter>=<value>`, or a value that is not what its line needs.
    #[error("malformed: {0}")]
    Malformed(String),
    /// More of something than is accepted.
    #[error("{what}: {found}, at most {limit}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A media section that cannot be accepted; the whole offer is refused with it.
    #[error("media section {section}: {reason}")]
    Unacceptable {
        /// Its mid, or its number.
        section: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The client insists on the DTLS role that the server needs.
    #[error("a=setup:{0}")]
    Setup(String),
}

/// One media section of an accepted offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedMedia {
    /// Its `a=mid`.
    pub mid: String,
    /// The codec that the answer will name.
    pub codec: Codec,
    /// The codec's payload type, the offer's own.
    pub payload_type: u8,
    /// `a=fmtp` of that payload type, without the payload type.
    pub fmtp: String,
    /// Payload type of the retransmissions (RFC 4588) of that payload type.
    pub rtx_payload_type: Option<u8>,
    /// The first `a=ssrc` of the section, where the offer declares one.
    pub ssrc: Option<u32>,
}

/// An offer that footlight can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The offer without its candidates.
    pub sdp: String,
    /// The audio section.
    pub audio: Option<OfferedMedia>,
    /// The video section.
    pub video: Option<OfferedMedia>,
    /// The client's ICE credentials.
    pub ufrag: String,
    /// The client's ICE credentials.
    pub pwd: String,
}

/// The attributes of one m-section, or of the session, while it is read.
#[derive(Default)]
struct Section<'a> {
    media: &'a str,
    mid: Option<&'a str>,
    direction: Option<&'a str>,
    setup: Option<&'a str>,
    ufrag: Option<&'a str>,
    pwd: Option<&'a str>,
    group: Option<&'a str>,
    fingerprint: bool,
    rtcp_mux: bool,
    rtpmaps: Vec<(u8, &'a str)>,
    fmtps: Vec<(u8, &'a str)>,
    ssrc: Option<u32>,
}

impl Offer {
    /// Reads and checks an offer.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let mut sdp = String::with_capacity(text.len());
        let mut sections = vec![Section::default()];
        let mut candidates = 0;
        let mut lines = lines(text)?;
        if lines.next() != Some(('v', "0")) {
            return Err(SdpError::Malformed("the first line is not v=0".into()));
        }
        sdp.push_str("v=0\r\n");
        for (letter, value) in lines {
            if letter == 'a' && (value.starts_with("candidate:") || value == "end-of-candidates") {
                candidates += 1;
                continue;
            }
            if letter == 'm' {
                sections.push(Section { media: value, ..Section::default() });
            }
            if letter == 'a'
                && let Some(section) = sections.last_mut()
            {
                section.attribute(value)?;
            }
            let _ = write!(sdp, "{letter}={value}\r\n");
        }
        limit("candidates", candidates, MAX_CANDIDATES)?;
        let session = sections.remove(0);
        Self::from_sections(sdp, &session, &sections)
    }

    fn from_sections(sdp: String, session: &Section<'_>, sections: &[Section<'_>]) -> Result<Self, SdpError> {
        if sections.is_empty() {
            return Err(SdpError::Malformed("no m= line".into()));
        }
        let mut offer = Self { sdp, audio: None, video: None, ufrag: String::new(), pwd: String::new() };
        let bundle: Vec<&str> = match session.group.and_then(|group| group.strip_prefix("BUNDLE ")) {
            Some(mids) => mids.split_ascii_whitespace().collect(),
            None => Vec::new(),
        };
        for (number, section) in sections.iter().enumerate() {
            let name = section.mid.map_or_else(|| number.to_string(), str::to_owned);
            let unacceptable = |reason| SdpError::Unacceptable { section: name.clone(), reason };
            let kind = match section.media.split(' ').next() {
                Some("audio") => Kind::Audio,
                Some("video") => Kind::Video,
                _ => return Err(unacceptable("only audio and video are taken")),
            };
            let place = match kind {
                Kind::Audio => &mut offer.audio,
                Kind::Video => &mut offer.video,
            };
            if place.is_some() {
                return Err(unacceptable("at most one audio and one video section are taken"));
            }
            section.check_transport(session).map_err(unacceptable)?;
            let setup = section.setup.or(session.setup).unwrap_or("actpass");
            if !matches!(setup, "actpass" | "active") {
                return Err(SdpError::Setup(setup.into()));
            }
            let mid = section.mid.ok_or_else(|| unacceptable("a=mid is missing"))?;
            if !bundle.contains(&mid) {
                return Err(unacceptable("not in a=group:BUNDLE"));
            }
            let (ufrag, pwd) = credentials(section.ufrag.or(session.ufrag), section.pwd.or(session.pwd))?;
            if offer.ufrag.is_empty() {
                (offer.ufrag, offer.pwd) = (ufrag.into(), pwd.into());
            }
            *place = Some(section.choose_codec(kind, mid).ok_or_else(|| {
                unacceptable(match kind {
                    Kind::Audio => "Opus is not offered",
                    Kind::Video => "neither H.264 nor VP8 is offered",
                })
            })?);
        }
        Ok(offer)
    }

    /// The offer again, with new ICE credentials: what an ICE restart makes of it (RFC 8839 section 4.4.3).
    pub fn restarted(&self, ufrag: &str, pwd: &str) -> Self {
        let mut sdp = String::with_capacity(self.sdp.len());
        for line in self.sdp.lines() {
            let line = line.trim_end();
            let _ = match line {
                _ if line.starts_with("a=ice-ufrag:") => write!(sdp, "a=ice-ufrag:{ufrag}\r\n"),
                _ if line.starts_with("a=ice-pwd:") => write!(sdp, "a=ice-pwd:{pwd}\r\n"),
                _ => write!(sdp, "{line}\r\n"),
            };
        }
        Self { sdp, ufrag: ufrag.into(), pwd: pwd.into(), ..self.clone() }
    }
}

impl<'a> Section<'a> {
    fn attribute(&mut self, attribute: &'a str) -> Result<(), SdpError> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match name {
            "mid" => self.mid = Some(value),
            "sendonly" | "sendrecv" | "recvonly" | "inactive" => self.direction = Some(name),
            "setup" => self.setup = Some(value),
            "ice-ufrag" => self.ufrag = Some(value),
            "ice-pwd" => self.pwd = Some(value),
            "group" if value.starts_with("BUNDLE") => self.group = Some(value),
            "fingerprint" => self.fingerprint = true,
            "rtcp-mux" => self.rtcp_mux = true,
            "rtpmap" => self.rtpmaps.push(numbered(attribute, value)?),
            "fmtp" => self.fmtps.push(numbered(attribute, value)?),
            "ssrc" => {
                let ssrc = value.split(' ').next().and_then(|ssrc| ssrc.parse().ok());
                self.ssrc = self.ssrc.or(Some(ssrc.ok_or_else(|| malformed(attribute))?));
            }
            _ => {}
        }
        Ok(())
    }

    /// RFC 9725 section 4.4: who publishes sends, over one bundled transport with RTCP on the same port.
    fn check_transport(&self, session: &Self) -> Result<(), &'static str> {
        if !self.rtcp_mux {
            return Err("a=rtcp-mux is missing");
        }
        if !self.fingerprint && !session.fingerprint {
            return Err("a=fingerprint is missing");
        }
        match self.direction.or(session.direction).unwrap_or("sendrecv") {
            "sendonly" | "sendrecv" => Ok(()),
            _ => Err("neither sendonly nor sendrecv"),
        }
    }

    /// H.264 before VP8: it saves a decoder's work where it can be passed through, and every player takes it.
    /// Packetization mode 1 before 0 (RFC 6184 section 6.2); otherwise the client's order of preference.
    fn choose_codec(&self, kind: Kind, mid: &str) -> Option<OfferedMedia> {
        let listed: Vec<u8> = self.media.split(' ').skip(3).filter_map(|pt| pt.parse().ok()).collect();
        let fmtp_of = |pt: u8| self.fmtps.iter().find(|(of, _)| *of == pt).map_or("", |(_, fmtp)| *fmtp);
        let rank = |pt: u8| -> Option<(u8, Codec)> {
            let (_, map) = self.rtpmaps.iter().find(|(of, _)| *of == pt)?;
            let mut parts = map.split('/');
            let (name, clock) = (parts.next()?, parts.next()?);
            match (kind, name.to_ascii_uppercase().as_str(), clock) {
                (Kind::Audio, "OPUS", "48000") => Some((0, Codec::Opus)),
                (Kind::Video, "H264", "90000") if parameter(fmtp_of(pt), "packetization-mode") == Some("1") => {
                    Some((0, Codec::H264))
                }
                (Kind::Video, "H264", "90000") => Some((1, Codec::H264)),
                (Kind::Video, "VP8", "90000") => Some((2, Codec::Vp8)),
                _ => None,
            }
        };
        // `min_by_key` keeps the first of equals, which is the client's own order.
        let (payload_type, (_, codec)) =
            listed.iter().filter_map(|&pt| Some((pt, rank(pt)?))).min_by_key(|(_, (rank, _))| *rank)?;
        let rtx_payload_type = self.rtpmaps.iter().map(|(pt, map)| (*pt, *map)).find_map(|(pt, map)| {
            let repairs: u8 = parameter(fmtp_of(pt), "apt")?.parse().ok()?;
            (map.to_ascii_lowercase().starts_with("rtx/") && repairs == payload_type && listed.contains(&pt))
                .then_some(pt)
        });
        let fmtp = fmtp_of(payload_type).to_owned();
        Some(OfferedMedia { mid: mid.to_owned(), codec, payload_type, fmtp, rtx_payload_type, ssrc: self.ssrc })
    }
}

/// A value of a `name=value;name=value` list (`a=fmtp`).
fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Splits `<payload type> <rest>`.
fn numbered<'a>(attribute: &str, value: &'a str) -> Result<(u8, &'a str), SdpError> {
    let (number, rest) = value.split_once(' ').ok_or_else(|| malformed(attribute))?;
    // Payload types have seven bits (RFC 3550 section 5.1).
    match number.parse() {
        Ok(payload_type @ 0..128) => Ok((payload_type, rest)),
        _ => Err(malformed(attribute)),
    }
}

fn credentials<'a>(ufrag: Option<&'a str>, pwd: Option<&'a str>) -> Result<(&'a str, &'a str), SdpError> {
    // ice-char (RFC 8839 section 5.4); some clients also send `-` and `_`.
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/-_=".contains(&b));
    let ufrag = ufrag.filter(|ufrag| UFRAG_CHARS.contains(&ufrag.len()) && plain(ufrag));
    let pwd = pwd.filter(|pwd| PWD_CHARS.contains(&pwd.len()) && plain(pwd));
    match (ufrag, pwd) {
        (Some(ufrag), Some(pwd)) => Ok((ufrag, pwd)),
        _ => Err(SdpError::Malformed("a=ice-ufrag or a=ice-pwd is missing or of a wrong length".into())),
    }
}

fn malformed(line: &str) -> SdpError {
    /// What an error repeats of a stranger's line.
    const QUOTED_CHARS: usize = 80;
    SdpError::Malformed(line.chars().filter(|c| !c.is_control()).take(QUOTED_CHARS).collect())
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), SdpError> {
    if found > limit { Err(SdpError::TooMany { what, found, limit }) } else { Ok(()) }
}

/// The lines of an SDP text as letter and value, after checking that all are such lines and none is too long.
fn lines(text: &str) -> Result<impl Iterator<Item = (char, &str)>, SdpError> {
    limit("bytes", text.len(), MAX_SDP_BYTES)?;
    let split = |line: &'_ str| line.len() >= 2 && line.as_bytes()[1] == b'=' && line.as_bytes()[0].is_ascii_lowercase();
    let mut count = 0;
    for line in text.lines() {
        count += 1;
        limit("bytes in a line", line.len(), MAX_LINE_BYTES)?;
        if !split(line) || line.bytes().any(|b| b.is_ascii_control()) {
            return Err(malformed(line));
        }
    }
    limit("lines", count, MAX_LINES)?;
    Ok(text.lines().map(|line| (char::from(line.as_bytes()[0]), &line[2..])))
}

/// What a PATCH carries (RFC 8840 section 9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fragment {
    /// ICE credentials, where the fragment has them.
    pub credentials: Option<(String, String)>,
    /// How many candidates it has. They are not kept: see the module's page.
    pub candidates: usize,
}

impl Fragment {
    /// Reads and checks an `application/trickle-ice-sdpfrag` body.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let (mut ufrag, mut pwd, mut candidates) = (None, None, 0);
        for (letter, value) in lines(text)? {
            if letter != 'a' {
                continue;
            }
            match value.split_once(':') {
                Some(("ice-ufrag", value)) => ufrag = ufrag.or(Some(value)),
                Some(("ice-pwd", value)) => pwd = pwd.or(Some(value)),
                Some(("candidate", value)) => {
                    // foundation, component, transport, priority, address, port, "typ", type (RFC 8839 section 5.1)
                    if value.split(' ').count() < 8 {
                        return Err(malformed(value));
                    }
                    candidates += 1;
                }
                _ => {}
            }
        }
        limit("candidates", candidates, MAX_CANDIDATES)?;
        let credentials = match (ufrag, pwd) {
            (None, None) => None,
            (ufrag, pwd) => credentials(ufrag, pwd).map(|(ufrag, pwd)| Some((ufrag.into(), pwd.into())))?,
        };
        if credentials.is_none() && candidates == 0 && !text.contains("a=end-of-candidates") {
            return Err(SdpError::Malformed("neither ICE credentials nor candidates".into()));
        }
        Ok(Self { credentials, candidates })
    }
}

/// An answer that is ours to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The whole answer.
    pub sdp: String,
    /// Our ICE credentials in it.
    pub ufrag: String,
    /// Our ICE credentials in it.
    pub pwd: String,
}

impl Answer {
    /// Puts our candidates in the place of those that the connection gathered for its virtual sockets: one UDP and
    /// one passive TCP candidate (RFC 6544) for each address, in every media section. `None` where the text has no
    /// ICE credentials, which would be a bug of who made it.
    pub fn with_candidates(sdp: &str, addresses: &[IpAddr], port: u16) -> Option<Self> {
        let kept: Vec<&str> = sdp
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.starts_with("a=candidate:") && *line != "a=end-of-candidates")
            .collect();
        let value = |prefix| kept.iter().find_map(|line| line.strip_prefix(prefix)).map(str::to_owned);
        let (ufrag, pwd) = (value("a=ice-ufrag:")?, value("a=ice-pwd:")?);
        let candidates = candidate_lines(addresses, port);
        let mut text = String::with_capacity(sdp.len() + 2 * candidates.len());
        let mut in_media = false;
        for line in kept {
            if line.starts_with("m=") {
                if in_media {
                    text.push_str(&candidates);
                }
                in_media = true;
            }
            let _ = write!(text, "{line}\r\n");
        }
        if in_media {
            text.push_str(&candidates);
        }
        Some(Self { sdp: text, ufrag, pwd })
    }

    /// The part of the answer that an ICE restart gives back (RFC 9725 section 4.3.3): credentials and candidates,
    /// with ice-lite, ice-options and pacing as in the answer.
    pub fn fragment(&self) -> String {
        const SESSION: [&str; 4] = ["a=ice-lite", "a=ice-options:", "a=ice-pacing:", "a=group:BUNDLE"];
        const MEDIA: [&str; 7] = [
            "m=",
            "a=mid:",
            "a=ice-ufrag:",
            "a=ice-pwd:",
            "a=ice-options:",
            "a=candidate:",
            "a=end-of-candidates",
        ];
        let mut fragment = String::new();
        let mut in_media = false;
        for line in self.sdp.lines() {
            in_media |= line.starts_with("m=");
            let wanted: &[&str] = if in_media { &MEDIA } else { &SESSION };
            if wanted.iter().any(|prefix| line.starts_with(prefix)) {
                let _ = write!(fragment, "{line}\r\n");
            }
        }
        fragment
    }
}

fn candidate_lines(addresses: &[IpAddr], port: u16) -> String {
    let mut lines = String::new();
    for (number, address) in addresses.iter().enumerate() {
        // RFC 8445 section 5.1.2.1: type preference 126 for host, earlier addresses first, component 1. TCP stands
        // below every UDP candidate (RFC 6544 section 4.2), because it turns loss into delay.
        let local = 65_535 - number.min(255) as u32;
        let udp = (126 << 24) | (local << 8) | 255;
        let tcp = (90 << 24) | (local << 8) | 255;
        let _ = write!(lines, "a=candidate:u{number} 1 udp {udp} {address} {port} typ host\r\n");
        let _ = write!(lines, "a=candidate:t{number} 1 tcp {tcp} {address} {port} typ host tcptype passive\r\n");
    }
    lines.push_str("a=end-of-candidates\r\n");
    lines
}
