//! What is answered to an offer: what the connection made of it, with our candidates, and with what we ask for. Pure.

use std::fmt::Write;
use std::net::IpAddr;

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

    /// The answer, asking for stereo where it takes Opus (RFC 7587 section 6.1): without `stereo=1` from who receives, browsers mix what they send to
    /// one channel. The connection answers with the offer's own parameters, which are about what the client would receive; the others stay, of which
    /// `useinbandfec` is one.
    #[must_use]
    pub fn in_stereo(mut self) -> Self {
        let opus = |line: &str| {
            let (payload_type, map) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            map.to_ascii_lowercase().starts_with("opus/").then(|| format!("a=fmtp:{payload_type} "))
        };
        let prefixes: Vec<String> = self.sdp.lines().filter_map(opus).collect();
        let mut text = String::with_capacity(self.sdp.len() + 32);
        for line in self.sdp.lines() {
            match prefixes.iter().find_map(|prefix| Some((prefix, line.strip_prefix(prefix.as_str())?))) {
                Some((prefix, fmtp)) => {
                    let _ = write!(text, "{prefix}{}\r\n", stereo(fmtp));
                }
                None => {
                    let _ = write!(text, "{line}\r\n");
                }
            }
            if let Some(prefix) = opus(line)
                && !self.sdp.contains(prefix.as_str())
            {
                let _ = write!(text, "{prefix}{}\r\n", stereo(""));
            }
        }
        self.sdp = text;
        self
    }

    /// The part of the answer that an ICE restart gives back (RFC 9725 section 4.3.3): credentials and candidates,
    /// with ice-lite, ice-options and pacing as in the answer.
    pub fn fragment(&self) -> String {
        const SESSION: [&str; 4] = ["a=ice-lite", "a=ice-options:", "a=ice-pacing:", "a=group:BUNDLE"];
        const MEDIA: [&str; 7] =
            ["m=", "a=mid:", "a=ice-ufrag:", "a=ice-pwd:", "a=ice-options:", "a=candidate:", "a=end-of-candidates"];
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

/// Parameters of Opus with `stereo=1` among them, once.
fn stereo(fmtp: &str) -> String {
    let others = fmtp.split(';').map(str::trim).filter(|pair| {
        let name = pair.split('=').next().unwrap_or(pair);
        !pair.is_empty() && !name.eq_ignore_ascii_case("stereo")
    });
    others.chain(["stereo=1"]).collect::<Vec<_>>().join(";")
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sdp::Fragment;

    const CRATE_ANSWER: &str = "v=0\r\na=group:BUNDLE 0 1\r\na=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
        a=ice-ufrag:uuuu\r\na=ice-pwd:pppppppppppppppppppppp\r\n\
        a=candidate:1 1 udp 2130706431 127.0.0.1 40001 typ host\r\na=end-of-candidates\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 104\r\na=mid:1\r\na=ice-ufrag:uuuu\r\na=ice-pwd:pppppppppppppppppppppp\r\n";

    #[test]
    fn answers_name_our_port_and_addresses_only() {
        let addresses = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let answer = Answer::with_candidates(CRATE_ANSWER, &addresses, 8_189).unwrap();
        assert!(!answer.sdp.contains("40001"));
        let candidates: Vec<&str> = answer.sdp.lines().filter(|line| line.starts_with("a=candidate")).collect();
        assert_eq!(candidates.len(), 8);
        assert_eq!(candidates[0], "a=candidate:u0 1 udp 2130706431 192.0.2.1 8189 typ host");
        assert_eq!(candidates[1], "a=candidate:t0 1 tcp 1526726655 192.0.2.1 8189 typ host tcptype passive");
        assert_eq!(candidates[2], "a=candidate:u1 1 udp 2130706175 2001:db8::1 8189 typ host");
        assert_eq!(answer.sdp.matches("a=end-of-candidates").count(), 2);
        assert_eq!(answer.ufrag, "uuuu");
        assert_eq!(Answer::with_candidates("v=0\r\n", &addresses, 1), None);
    }

    #[test]
    fn answers_ask_for_stereo_and_keep_what_else_was_offered() {
        let check = |fmtp: &str, want: &str| {
            let opus = format!("a=mid:0\r\na=rtpmap:111 opus/48000/2\r\n{fmtp}");
            let sdp = CRATE_ANSWER.replace("a=mid:0\r\n", &opus);
            let answer = Answer::with_candidates(&sdp, &[], 1).unwrap().in_stereo();
            let lines: Vec<&str> = answer.sdp.lines().filter(|line| line.starts_with("a=fmtp:")).collect();
            assert_eq!(lines, [want], "{fmtp}");
            assert!(answer.sdp.ends_with("\r\n") && answer.sdp.lines().count() > sdp.lines().count() - 2);
        };
        check("a=fmtp:111 minptime=10;useinbandfec=1\r\n", "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1");
        check("a=fmtp:111 stereo=0; useinbandfec=1\r\n", "a=fmtp:111 useinbandfec=1;stereo=1");
        check("a=fmtp:111 stereo=1;sprop-stereo=1\r\n", "a=fmtp:111 sprop-stereo=1;stereo=1");
        check("", "a=fmtp:111 stereo=1");
        let silent = Answer::with_candidates(CRATE_ANSWER, &[], 1).unwrap();
        assert_eq!(silent.clone().in_stereo(), silent, "without Opus nothing is asked for");
    }

    #[test]
    fn the_fragment_of_a_restart_has_what_a_client_needs() {
        let answer = Answer::with_candidates(CRATE_ANSWER, &["192.0.2.1".parse().unwrap()], 8_189).unwrap();
        let fragment = answer.fragment();
        for want in ["a=ice-lite", "a=mid:0", "a=mid:1", "a=ice-ufrag:uuuu", "192.0.2.1 8189", "m=audio"] {
            assert!(fragment.contains(want), "{want} in {fragment}");
        }
        let read = Fragment::parse(&fragment).unwrap();
        assert_eq!(read.credentials, Some(("uuuu".into(), "pppppppppppppppppppppp".into())));
        assert_eq!(read.candidates, 4);
    }
}
