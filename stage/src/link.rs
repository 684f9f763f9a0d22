//! `Link: <stun:...>; rel="ice-server"` of a WHIP server's answer (RFC 9725 section 4.6, RFC 8288 section 3), read. Pure.

/// A STUN or TURN server that a WHIP server recommends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp`, ... (RFC 7064, RFC 7065).
    pub url: String,
    /// What a TURN server asks for: user name and password.
    pub credentials: Option<(String, String)>,
}

/// Servers that are taken from one answer; ICE asks all of them at once.
const MAX_SERVERS: usize = 8;
/// The longest header that is read.
const MAX_BYTES: usize = 8 * 1024;

/// The ICE servers of one header; other relations and what is malformed are passed over.
pub fn ice_servers(header: &str) -> Vec<IceServer> {
    let mut servers = Vec::new();
    let mut rest = if header.len() > MAX_BYTES { "" } else { header };
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, after)) = after.split_once('>') else { break };
        let (parameters, next) = parameters(after);
        rest = next;
        let value = |name: &str| parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
        let relations = value("rel").unwrap_or_default();
        let scheme = target.split(':').next().unwrap_or_default();
        let known = ["stun", "stuns", "turn", "turns"].contains(&scheme);
        if known && relations.split(' ').any(|r| r == "ice-server") && servers.len() < MAX_SERVERS {
            let credentials = value("username").zip(value("credential"));
            servers.push(IceServer { url: target.to_owned(), credentials });
        }
    }
    servers
}

/// `; name=token; name="quoted \" text"` up to the comma that ends the link; answers with what follows that.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(after) = rest.strip_prefix(';') {
        let name_end = after.find(['=', ';', ',']).unwrap_or(after.len());
        let name = after[..name_end].trim().to_owned();
        rest = &after[name_end..];
        if let Some(value) = rest.strip_prefix('=') {
            let (value, after) = parameter_value(value.trim_start());
            found.push((name, value));
            rest = after.trim_start();
        }
    }
    (found, rest)
}

fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn servers_are_found_with_their_credentials_and_nothing_else_is() {
        let check = |header: &str, want: &[(&str, Option<(&str, &str)>)]| {
            let got = ice_servers(header);
            let got: Vec<_> = got
                .iter()
                .map(|s| (s.url.as_str(), s.credentials.as_ref().map(|(u, p)| (u.as_str(), p.as_str()))))
                .collect();
            assert_eq!(got, want, "{header}");
        };
        check("<stun:stun.example.org>; rel=\"ice-server\"", &[("stun:stun.example.org", None)]);
        check("<stun:a>;rel=ice-server, <stun:b>; rel=\"x ice-server\"", &[("stun:a", None), ("stun:b", None)]);
        check(
            "<turn:t?transport=udp>; rel=\"ice-server\"; username=\"a, \\\"b\\\"\"; credential=\"c;d\"; credential-type=\"password\"",
            &[("turn:t?transport=udp", Some(("a, \"b\"", "c;d")))],
        );
        check("<https://example.org/x>; rel=\"ice-server\"", &[]);
        check("<stun:a>; rel=\"urn:ietf:params:whip:ext:x\"", &[]);
        check("<stun:a", &[]);
        check("<stun:a>; rel=\"ice-server", &[("stun:a", None)]);
        check("", &[]);
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in "[<>;,=\"\\\\ a-z:é-]{0,200}") {
            prop_assert!(ice_servers(&header).len() <= MAX_SERVERS);
        }
    }
}
