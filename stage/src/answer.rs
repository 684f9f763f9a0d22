//! The answer to an offer of ours, checked before the `webrtc` crate sees a byte (RFC 9725 section 4.2, RFC 8866).

use crate::sdp::{SdpError, lines};

/// One media section of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredMedia {
    /// `audio` or `video`.
    pub kind: String,
    /// Payload types it takes, best first.
    pub payload_types: Vec<u8>,
    /// Whether the section was taken: its port is not 0, and it receives.
    pub taken: bool,
}

/// An answer that can be handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhipAnswer {
    /// As it came.
    pub sdp: String,
    /// Its sections, in the offer's order.
    pub media: Vec<AnsweredMedia>,
    /// How many candidates it has: without one there is nowhere to send to.
    pub candidates: usize,
}

impl WhipAnswer {
    /// Reads and checks an answer. Errors are the server's fault.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let mut answer = Self { sdp: text.to_owned(), media: Vec::new(), candidates: 0 };
        let mut lines = lines(text)?;
        if lines.next() != Some(('v', "0")) {
            return Err(SdpError::Malformed("the first line is not v=0".into()));
        }
        for (letter, value) in lines {
            match letter {
                'm' => answer.media.push(section(value)?),
                'a' if value.starts_with("candidate:") => answer.candidates += 1,
                'a' if value == "sendonly" || value == "inactive" => {
                    if let Some(section) = answer.media.last_mut() {
                        section.taken = false;
                    }
                }
                _ => {}
            }
        }
        match answer.media.iter().find(|m| !m.taken) {
            // RFC 9725 section 4.4.3: an offer is taken whole or refused whole, but some servers take what they like.
            Some(refused) => Err(SdpError::Unacceptable {
                section: refused.kind.clone(),
                reason: "the server does not take it; it may not know the codec",
            }),
            None if answer.media.is_empty() => Err(SdpError::Malformed("no m= line".into())),
            None => Ok(answer),
        }
    }
}

/// `audio 9 UDP/TLS/RTP/SAVPF 111` (RFC 8866 section 5.14).
fn section(value: &str) -> Result<AnsweredMedia, SdpError> {
    let malformed = || SdpError::Malformed(format!("m={}", value.chars().take(80).collect::<String>()));
    let mut words = value.split(' ');
    let (Some(kind), Some(port), Some(_transport)) = (words.next(), words.next(), words.next()) else {
        return Err(malformed());
    };
    let port: u16 = port.parse().map_err(|_| malformed())?;
    let payload_types: Vec<u8> = words.map_while(|word| word.parse().ok().filter(|pt| *pt < 128)).collect();
    Ok(AnsweredMedia { kind: kind.to_owned(), payload_types, taken: port != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=recvonly\r\na=candidate:1 1 udp 2130706431 127.0.0.1 8189 typ host\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=recvonly\r\n";

    #[test]
    fn sections_payload_types_and_candidates_are_read() {
        let answer = WhipAnswer::parse(ANSWER).expect("a good answer");
        let section = |kind: &str, payload_types: &[u8]| AnsweredMedia {
            kind: kind.into(),
            payload_types: payload_types.to_vec(),
            taken: true,
        };
        assert_eq!(answer.media, [section("video", &[96, 97]), section("audio", &[111])]);
        assert_eq!(answer.candidates, 1);
    }

    #[test]
    fn what_cannot_be_sent_into_is_refused_with_its_section() {
        let check = |answer: &str, says: &str| {
            let said = WhipAnswer::parse(answer).expect_err("refused").to_string();
            assert!(said.contains(says), "{said}");
        };
        check(&ANSWER.replace("m=video 9", "m=video 0"), "video");
        check(&ANSWER.replace("111\r\na=recvonly", "111\r\na=inactive"), "audio");
        check(&ANSWER.replace("m=video 9", "m=video x"), "m=video x");
        check("v=0\r\ns=-\r\n", "no m= line");
        check("<html>", "malformed");
        check("", "v=0");
    }
}
