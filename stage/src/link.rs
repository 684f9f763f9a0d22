//! `Link: <stun:...>; rel="ice-server"` of a WHIP server's answer (RFC 9725 section 4.6, RFC 8288 section 3), read. Pure.

use std::net::Ipv6Addr;

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

/// The ICE servers of one answer's headers; other relations, what is malformed and what no ICE agent can use are passed over.
pub fn ice_servers<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<IceServer> {
    headers.into_iter().flat_map(of_header).filter(usable).take(MAX_SERVERS).collect()
}

fn of_header(header: &str) -> Vec<IceServer> {
    let mut servers = Vec::new();
    let mut rest = if header.len() > MAX_BYTES { "" } else { header };
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, after)) = after.split_once('>') else { break };
        let (parameters, next) = parameters(after);
        rest = next;
        let value = |name: &str| parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
        if value("rel").unwrap_or_default().split(' ').any(|relation| relation == "ice-server") {
            let credentials = value("username").zip(value("credential"));
            servers.push(IceServer { url: target.to_owned(), credentials });
        }
    }
    servers
}

/// Whether an ICE agent takes it: one that is refused costs the connection. A TURN server needs credentials (W3C WebRTC, "set a configuration").
fn usable(server: &IceServer) -> bool {
    let Some((scheme, rest)) = server.url.split_once(':') else { return false };
    // A query says by which transport a TURN server is reached (RFC 7065 section 3.1); STUN has none (RFC 7064 section 3.1).
    let (address, query) = rest.split_once('?').map_or((rest, None), |(address, query)| (address, Some(query)));
    let complete = match scheme {
        "stun" | "stuns" => query.is_none(),
        "turn" | "turns" => {
            matches!(query, None | Some("transport=udp" | "transport=tcp"))
                && server.credentials.as_ref().is_some_and(|(user, password)| !user.is_empty() && !password.is_empty())
        }
        _ => false,
    };
    complete && is_address(address)
}

/// `host`, `host:port`, `[IPv6]` or `[IPv6]:port`.
fn is_address(text: &str) -> bool {
    let (is_host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((ip, port)) => (ip.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            (!host.is_empty() && host.bytes().all(letter), port)
        }
    };
    let is_port = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok();
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
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
            let got = ice_servers([header]);
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

    #[test]
    fn servers_that_no_ice_agent_can_use_are_left_out() {
        let check = |url: &str, credentials: &str, want: bool| {
            let header = format!("<{url}>; rel=\"ice-server\"{credentials}, <stun:good>; rel=\"ice-server\"");
            let urls: Vec<String> = ice_servers([header.as_str()]).into_iter().map(|server| server.url).collect();
            let both = [url, "stun:good"];
            assert_eq!(urls, if want { &both[..] } else { &both[1..] }, "{header}");
        };
        let credentials = "; username=u; credential=p";
        for url in ["stun:a.example.org:3478", "stuns:192.0.2.1", "stun:[2001:db8::1]:3478", "stun:[::1]"] {
            check(url, "", true);
        }
        for url in ["turn:t", "turn:t:3478?transport=udp", "turns:t?transport=tcp"] {
            check(url, credentials, true);
            for incomplete in ["", "; username=u", "; credential=p", "; username=\"\"; credential=p"] {
                check(url, incomplete, false);
            }
        }
        for url in [
            "stun:",
            "stun",
            "stun:a?transport=udp",
            "turn:t?transport=sctp",
            "turn:t?x=y",
            "turn:?transport=udp",
            "turn://t",
            "turn:u@t",
            "stun:a:65536",
            "stun:a:+1",
            "stun:2001:db8::1",
            "stun:[a]",
            "stun:[::1",
            "stun:é",
            "http://a",
            "sip:a",
        ] {
            check(url, credentials, false);
        }
    }

    #[test]
    fn one_answer_has_so_many_servers_by_how_many_headers_it_names_them() {
        let five = ["<stun:a>; rel=ice-server"; 5].join(", ");
        assert_eq!(ice_servers([five.as_str(), five.as_str(), five.as_str()]).len(), MAX_SERVERS);
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in "[<>;,=\"\\\\ a-z:é-]{0,200}") {
            prop_assert!(ice_servers([header.as_str()]).len() <= MAX_SERVERS);
        }
    }
}
