//! What WHIP asks of SDP (RFC 9725 section 4, RFC 8866, RFC 8840), checked before the `webrtc` crate sees a byte.
//!
//! An offer is taken whole or refused whole (RFC 9725 section 4.4.3): [`Offer::parse`] either finds one codec that
//! footlight speaks in every media section or says what is wrong, and with which part. Remote candidates are counted
//! and dropped: an ICE-lite server never sends to them, so nothing in them can make it speak to an address of a
//! stranger's choice.

mod answer;

use crate::simulcast::Simulcast;
pub use answer::Answer;
use footlight_media::codec::{Codec, Kind};
use std::fmt::Write;

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
    /// A role in the DTLS handshake that cannot be answered (RFC 8842 section 5.2).
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
    /// The layers, where a picture comes in several. Their SSRCs are learned from their packets.
    pub simulcast: Option<Simulcast>,
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
    /// The client will only be the DTLS server (`a=setup:passive`, as FFmpeg's is): then we are the client.
    pub passive: bool,
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
    /// Names of what `a=rid` lines send.
    rids: Vec<&'a str>,
    simulcast: Option<&'a str>,
    /// Ids and URIs of `a=extmap` lines.
    extensions: Vec<(u8, &'a str)>,
}

impl Offer {
    /// Names of the picture's layers (RFC 8852), where it has several.
    pub fn rids(&self) -> &[String] {
        let simulcast = self.video.as_ref().and_then(|video| video.simulcast.as_ref());
        simulcast.map_or(&[], |simulcast| &simulcast.rids)
    }

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
        let mut offer =
            Self { sdp, audio: None, video: None, ufrag: String::new(), pwd: String::new(), passive: false };
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
            match setup {
                "actpass" | "active" => {}
                "passive" => offer.passive = true,
                _ => return Err(SdpError::Setup(setup.into())),
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
                    Kind::Video => "none of H.264, VP8, VP9 and AV1 in 4:2:0 is offered",
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
            "rid" => {
                self.rids.extend(value.split_once(' ').filter(|(_, rest)| rest.starts_with("send")).map(|(rid, _)| rid))
            }
            "simulcast" => self.simulcast = Some(value),
            "extmap" => {
                // An id may have a direction behind it (RFC 8285 section 8).
                let (id, uri) = value.split_once(' ').ok_or_else(|| malformed(attribute))?;
                let id: u16 =
                    id.split('/').next().and_then(|id| id.parse().ok()).ok_or_else(|| malformed(attribute))?;
                // From 4096 on it stands for an extension that has no id yet (section 6), which nobody has to take.
                if let Ok(id) = u8::try_from(id) {
                    self.extensions.push((id, uri.split(' ').next().unwrap_or(uri)));
                }
            }
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

    /// H.264 first: it saves a decoder's work where it can be passed through, and every player takes it; packetization mode 1 before 0 (RFC 6184
    /// section 6.2). The others in the client's order of preference. Of VP9 and AV1 only the profiles of 4:2:0.
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
                (Kind::Video, "VP9", "90000") if matches!(parameter(fmtp_of(pt), "profile-id"), None | Some("0")) => {
                    Some((2, Codec::Vp9))
                }
                (Kind::Video, "AV1", "90000") if matches!(parameter(fmtp_of(pt), "profile"), None | Some("0")) => {
                    Some((2, Codec::Av1))
                }
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
        let simulcast = self.simulcast.filter(|_| kind == Kind::Video);
        let simulcast = simulcast.and_then(|value| Simulcast::offered(value, &self.rids, &self.extensions));
        let ssrc = self.ssrc.filter(|_| simulcast.is_none());
        Some(OfferedMedia { mid: mid.to_owned(), codec, payload_type, fmtp, rtx_payload_type, ssrc, simulcast })
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
pub(crate) fn lines(text: &str) -> Result<impl Iterator<Item = (char, &str)>, SdpError> {
    limit("bytes", text.len(), MAX_SDP_BYTES)?;
    let split =
        |line: &'_ str| line.len() >= 2 && line.as_bytes()[1] == b'=' && line.as_bytes()[0].is_ascii_lowercase();
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a browser offers, cut down to what is read.
    const OFFER: &str = "v=0\r\n\
        o=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n\
        s=-\r\n\
        t=0 0\r\n\
        a=group:BUNDLE 0 1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n\
        c=IN IP4 0.0.0.0\r\n\
        a=candidate:1 1 udp 2122260223 10.0.0.7 50001 typ host\r\n\
        a=ice-ufrag:abcd\r\n\
        a=ice-pwd:0123456789012345678901\r\n\
        a=fingerprint:sha-256 00:11\r\n\
        a=setup:actpass\r\n\
        a=mid:0\r\n\
        a=sendonly\r\n\
        a=rtcp-mux\r\n\
        a=rtpmap:111 opus/48000/2\r\n\
        a=fmtp:111 minptime=10;useinbandfec=1\r\n\
        a=rtpmap:63 red/48000/2\r\n\
        a=ssrc:1000 cname:x\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 105\r\n\
        c=IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:abcd\r\n\
        a=ice-pwd:0123456789012345678901\r\n\
        a=fingerprint:sha-256 00:11\r\n\
        a=setup:actpass\r\n\
        a=mid:1\r\n\
        a=sendonly\r\n\
        a=rtcp-mux\r\n\
        a=rtpmap:96 VP8/90000\r\n\
        a=rtpmap:97 rtx/90000\r\n\
        a=fmtp:97 apt=96\r\n\
        a=rtpmap:102 H264/90000\r\n\
        a=fmtp:102 profile-level-id=42001f;packetization-mode=0\r\n\
        a=rtpmap:103 rtx/90000\r\n\
        a=fmtp:103 apt=102\r\n\
        a=rtpmap:104 H264/90000\r\n\
        a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
        a=rtpmap:105 rtx/90000\r\n\
        a=fmtp:105 apt=104\r\n\
        a=ssrc-group:FID 2000 2001\r\n\
        a=ssrc:2000 cname:x\r\n\
        a=ssrc:2001 cname:x\r\n";

    #[test]
    fn h264_in_packetization_mode_1_comes_before_everything() {
        let offer = Offer::parse(OFFER).unwrap();
        let video = offer.video.unwrap();
        assert_eq!((video.codec, video.payload_type, video.rtx_payload_type), (Codec::H264, 104, Some(105)));
        assert_eq!((video.mid.as_str(), video.ssrc), ("1", Some(2000)));
        assert!(video.fmtp.contains("packetization-mode=1"));
        let audio = offer.audio.unwrap();
        assert_eq!((audio.codec, audio.payload_type, audio.ssrc), (Codec::Opus, 111, Some(1000)));
        assert_eq!((offer.ufrag.as_str(), offer.pwd.as_str()), ("abcd", "0123456789012345678901"));
        assert!(!offer.sdp.contains("candidate"), "remote candidates are never used");
    }

    #[test]
    fn who_offers_vp8_alone_gets_vp8() {
        let offer = Offer::parse(&OFFER.replace("H264/", "H265/")).unwrap();
        let video = offer.video.unwrap();
        assert_eq!((video.codec, video.payload_type, video.rtx_payload_type), (Codec::Vp8, 96, Some(97)));
    }

    #[test]
    fn of_the_others_the_client_s_first_is_chosen_in_a_profile_that_is_decoded() {
        let check = |first: &str, fmtp: &str, want| {
            let others = OFFER
                .replace("H264/", "VP8/")
                .replace("a=rtpmap:96 VP8/90000", &format!("a=rtpmap:96 {first}/90000\r\na=fmtp:96 {fmtp}"));
            let video = Offer::parse(&others).unwrap().video.unwrap();
            assert_eq!((video.codec, video.payload_type), want, "{first} {fmtp}");
        };
        check("VP9", "profile-id=0", (Codec::Vp9, 96));
        check("AV1", "level-idx=5;profile=0;tier=0", (Codec::Av1, 96));
        check("AV1", "x-google=1", (Codec::Av1, 96));
        check("VP9", "profile-id=2", (Codec::Vp8, 102));
        check("AV1", "profile=1", (Codec::Vp8, 102));
    }

    #[test]
    fn layers_are_read_and_declared_ssrcs_are_not_theirs() {
        let simulcast = "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
            a=extmap:11/sendonly urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n\
            a=rid:q send\r\na=rid:h send pt=96\r\na=rid:x recv\r\na=simulcast:send q;h;x\r\n";
        let simulcast = format!("{simulcast}a=extmap:4096 urn:of-which-there-are-too-many\r\n");
        let video =
            Offer::parse(&OFFER.replace("a=mid:1\r\n", &format!("a=mid:1\r\n{simulcast}"))).unwrap().video.unwrap();
        let layers = video.simulcast.expect("two layers");
        assert_eq!(
            (layers.rids.join(" ").as_str(), layers.rid_extension, layers.repaired_rid_extension),
            ("q h", 10, Some(11))
        );
        assert_eq!(video.ssrc, None);
        assert_eq!(Offer::parse(OFFER).unwrap().video.unwrap().simulcast, None);
    }

    #[test]
    fn one_section_alone_is_an_offer() {
        let (head, video) = OFFER.split_at(OFFER.find("m=video").unwrap());
        let audio_only = Offer::parse(head).unwrap();
        assert!(audio_only.audio.is_some() && audio_only.video.is_none());
        let session = &head[..head.find("m=audio").unwrap()];
        let video_only = Offer::parse(&[session, video].concat()).unwrap();
        assert!(video_only.audio.is_none() && video_only.video.is_some());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |from: &str, to: &str, want: &str| {
            let error = Offer::parse(&OFFER.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(want), "{from} -> {to}: {error}");
        };
        check("v=0\r\n", "", "v=0");
        check("a=mid:1\r\n", "a=mid:1\r\nnonsense\r\n", "nonsense");
        check("a=mid:1\r\n", "a=mid:1\r\na\x07=x\r\n", "malformed");
        check("/90000", "/8000", "none of H.264, VP8, VP9 and AV1");
        check("opus/", "pcmu/", "Opus is not offered");
        check("a=sendonly", "a=recvonly", "neither sendonly nor sendrecv");
        check("a=rtcp-mux\r\n", "", "rtcp-mux");
        check("a=fingerprint:sha-256 00:11\r\n", "", "fingerprint");
        check("BUNDLE 0 1", "BUNDLE 0", "section 1: not in a=group:BUNDLE");
        check("m=audio 9", "m=application 9", "only audio and video");
        check("m=audio 9", "m=video 9", "section 0: none of H.264");
        check("a=ice-pwd:0123456789012345678901", "a=ice-pwd:short", "ice-pwd");
        check("a=setup:actpass", "a=setup:holdconn", "holdconn");
        check("a=fmtp:97 apt=96", "a=fmtp:197 apt=96", "197");
        check("a=ssrc:1000", "a=ssrc:many", "many");
        check("a=mid:1\r\n", "a=mid:1\r\na=extmap:ten urn:x\r\n", "extmap:ten");
    }

    #[test]
    fn every_count_has_a_limit() {
        let check = |insert: String, want: &str| {
            let error = Offer::parse(&OFFER.replace("t=0 0\r\n", &format!("t=0 0\r\n{insert}"))).unwrap_err();
            assert!(matches!(&error, SdpError::TooMany { what, .. } if *what == want), "{error}");
        };
        check("a=candidate:1 1 udp 1 10.0.0.7 1 typ host\r\n".repeat(65), "candidates");
        check("a=x\r\n".repeat(1_100), "lines");
        check(format!("a={}\r\n", "x".repeat(3_000)), "bytes in a line");
        check(format!("a={}\r\n", "x".repeat(2_000)).repeat(40), "bytes");
        let second = &OFFER[OFFER.find("m=video").unwrap()..].replace("a=mid:1", "a=mid:2");
        let twice = format!("{OFFER}{second}").replace("BUNDLE 0 1", "BUNDLE 0 1 2");
        assert!(matches!(Offer::parse(&twice), Err(SdpError::Unacceptable { .. })));
    }

    #[test]
    fn a_restart_changes_the_credentials_alone() {
        let offer = Offer::parse(OFFER).unwrap();
        let restarted = offer.restarted("wxyz", "abcdefghijklmnopqrstuv");
        assert_eq!(restarted.sdp.replace("wxyz", "abcd").replace("abcdefghijklmnopqrstuv", &offer.pwd), offer.sdp);
        assert_eq!(Offer::parse(&restarted.sdp).unwrap().ufrag, "wxyz");
    }

    #[test]
    fn fragments_are_read_or_refused() {
        let check = |text: &str, want| assert_eq!(Fragment::parse(text).ok(), want, "{text}");
        let candidate = "a=candidate:1 1 udp 2122260223 10.0.0.7 50001 typ host\r\n";
        check(candidate, Some(Fragment { credentials: None, candidates: 1 }));
        check("a=end-of-candidates\r\n", Some(Fragment::default()));
        check("", None);
        check("hello", None);
        check("a=candidate:broken\r\n", None);
        check("a=ice-ufrag:abcd\r\n", None);
        check(&candidate.repeat(65), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,300}", at in 0usize..2_000, cut in 0usize..200) {
            let _ = Offer::parse(&text);
            let _ = Fragment::parse(&text);
            let mut offer = OFFER.to_owned();
            let at = at.min(offer.len());
            let end = (at + cut).min(offer.len());
            offer.replace_range(at..end, &text);
            if let Ok(offer) = Offer::parse(&offer) {
                let _ = offer.restarted("abcd", "0123456789012345678901");
            }
            let _ = Answer::with_candidates(&offer, &[], 1).map(Answer::in_stereo);
        }
    }
}
