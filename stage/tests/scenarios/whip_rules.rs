//! RFC 9725 as a client sees it, rule by rule.

use crate::harness::{Theatre, loopback};
use crate::support::{Client, Setup};
use footlight_stage::config::Config;
use footlight_stage::ice_servers::{IceCredentials, IceServer};
use http::{Method, Request, Response};
use std::time::Duration;

async fn offer() -> String {
    Client::udp(&Setup::default(), None).await.offer().to_owned()
}

/// A POST to room `room` with a good token, as text of a header map: `name: value` lines.
async fn post(theatre: &Theatre, headers: &[(&str, &str)], body: &str) -> Response<String> {
    let mut request = Request::post("/whip/room");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    theatre.send(request.body(body.to_owned()).unwrap()).await
}

const TOKEN: (&str, &str) = ("Authorization", "Bearer room:ada");
const SDP: (&str, &str) = ("Content-Type", "application/sdp");

#[tokio::test]
async fn an_offer_is_answered_201_with_all_that_a_client_needs() {
    let credentials = Some(IceCredentials::Fixed { username: "user".into(), password: "secret".into() });
    let ice_servers = vec![
        IceServer { url: "stun:stun.example.net".into(), credentials: None },
        IceServer { url: "turn:turn.example.net?transport=udp".into(), credentials },
    ];
    let theatre = Theatre::with(Config { ice_servers, ..loopback() }).await;
    let answer = post(&theatre, &[TOKEN, ("Content-Type", "application/sdp; charset=utf-8")], &offer().await).await;
    assert_eq!(answer.status(), 201);
    let header = |name: &str| answer.headers()[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/sdp");
    assert_eq!(header("accept-patch"), "application/trickle-ice-sdpfrag");
    let id = header("location").strip_prefix("/whip/room/").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "128 random bits: {id}");
    let etag = header("etag");
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "strong: {etag}");
    let links: Vec<_> = answer.headers().get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    assert_eq!(links[0], "<stun:stun.example.net>; rel=\"ice-server\"");
    assert_eq!(
        links[1],
        "<turn:turn.example.net?transport=udp>; rel=\"ice-server\"; username=\"user\"; credential=\"secret\"; \
         credential-type=\"password\""
    );
    let sdp = answer.body();
    for want in ["a=ice-lite", "a=recvonly", "a=setup:passive", "a=rtcp-mux", "a=end-of-candidates", "a=group:BUNDLE"] {
        assert!(sdp.contains(want), "{want} in\n{sdp}");
    }
    assert!(sdp.contains(" udp ") && sdp.contains("tcptype passive"), "{sdp}");
    assert!(!sdp.contains("a=sendonly") && !sdp.contains("a=sendrecv"), "{sdp}");
    // H.264 alone is answered where both are offered.
    assert!(sdp.contains("H264/90000") && !sdp.contains("VP8/90000"), "{sdp}");
    assert!(sdp.contains("nack pli") && sdp.contains("transport-cc"), "{sdp}");
    let second = post(&theatre, &[TOKEN, SDP], &offer().await).await;
    assert_ne!(second.headers()["location"], answer.headers()["location"]);
}

/// Who sends with that extension leaves a turned phone's picture as its sensor saw it, and says by how much it is to be turned (3GPP TS 26.114 section
/// 7.4.5); without it a browser turns the picture itself, and nothing here has to.
#[tokio::test]
async fn nobody_is_asked_to_say_how_a_picture_is_turned() {
    let offer = offer().await;
    assert!(offer.contains(" urn:3gpp:video-orientation"), "{offer}");
    let theatre = Theatre::open().await;
    let answer = post(&theatre, &[TOKEN, SDP], &offer).await;
    assert_eq!(answer.status(), 201, "{}", answer.body());
    // There are extensions that are taken, so this one is left out for itself.
    assert!(answer.body().contains("a=extmap:") && !answer.body().contains("video-orientation"), "{}", answer.body());
}

/// RFC 7587 section 6.1: `stereo` says what the one who gives it would rather receive, so it is for the answer to ask for; a browser sends one channel
/// otherwise. In-band FEC is used where it is offered.
#[tokio::test]
async fn opus_is_asked_for_in_stereo_with_fec_where_it_is_offered() {
    let theatre = Theatre::with(Config { peer_offer_burst: 100, ..loopback() }).await;
    let offer = offer().await;
    let fmtp = offer.lines().find(|line| line.starts_with("a=fmtp:111 ")).expect("parameters of Opus");
    let check = async |offered: &str, want: &[&str]| {
        let offer = match offered {
            "" => offer.replace(&format!("{fmtp}\r\n"), ""),
            _ => offer.replace(fmtp, &format!("a=fmtp:111 {offered}")),
        };
        let answer = post(&theatre, &[TOKEN, SDP], &offer).await;
        assert_eq!(answer.status(), 201, "{offered}: {}", answer.body());
        let lines: Vec<_> = answer.body().lines().filter_map(|line| line.strip_prefix("a=fmtp:111 ")).collect();
        let [line] = lines[..] else { panic!("{offered}: {lines:?} in {}", answer.body()) };
        let mut parameters: Vec<&str> = line.split(';').collect();
        parameters.sort_unstable();
        assert_eq!(parameters, want, "{offered}");
    };
    check("minptime=10;useinbandfec=1", &["minptime=10", "stereo=1", "useinbandfec=1"]).await;
    check("minptime=10", &["minptime=10", "stereo=1"]).await;
    check("useinbandfec=1;stereo=0", &["stereo=1", "useinbandfec=1"]).await;
    check("", &["stereo=1"]).await;
}

#[tokio::test]
async fn every_answer_carries_cors_headers() {
    let theatre = Theatre::open().await;
    let offer = offer().await;
    let url = theatre.post("room", "ada", &offer).await.headers()["location"].to_str().unwrap().to_owned();
    let cases = [
        (Method::POST, "/whip/room", 415),
        (Method::OPTIONS, "/whip/room", 200),
        (Method::GET, "/whip/room", 405),
        (Method::HEAD, "/whip/room", 405),
        (Method::PUT, "/whip/room", 405),
        (Method::GET, &url, 405),
        (Method::POST, &url, 405),
        (Method::OPTIONS, &url, 200),
        (Method::PATCH, &url, 415),
        (Method::GET, "/whip/", 404),
        (Method::POST, "/whip/a.b", 404),
        (Method::POST, "/whip/room/x/y", 404),
        (Method::DELETE, "/whip/room/00000000000000000000000000000000", 404),
    ];
    for (method, path, want) in cases {
        let request = Request::builder().method(&method).uri(path).header(TOKEN.0, TOKEN.1);
        let answer = theatre.send(request.body(String::new()).unwrap()).await;
        assert_eq!(answer.status(), want, "{method} {path}: {}", answer.body());
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap();
        assert!(["Location", "ETag", "Link"].iter().all(|name| exposed.contains(name)), "{exposed}");
        if want >= 400 {
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let problem: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
            assert_eq!(problem["status"], want);
            assert!(["title", "thing", "cure"].iter().all(|key| problem[key].is_string()), "{problem}");
            // RFC 9457 section 3.1.4: what a client shows a person. It says all of it, in a sentence.
            let detail = problem["detail"].as_str().unwrap_or_default();
            let said = ["thing", "value", "cure"].iter().filter_map(|key| problem[key].as_str());
            assert!(said.into_iter().all(|word| !word.is_empty() && detail.contains(word)), "{problem}");
            assert!(detail.ends_with('.'), "{problem}");
        }
        if want == 405 {
            assert!(answer.headers().contains_key("allow"));
        }
    }
}

#[tokio::test]
async fn what_a_url_says_of_the_sender_is_understood_or_refused() {
    let theatre = Theatre::open().await;
    let offer = offer().await;
    assert_eq!(theatre.post("room?source=screen&name=Ada&from=mail", "ada", &offer).await.status(), 201);
    for (query, thing) in [("source=window", "query parameter source"), ("name=%07", "query parameter name")] {
        let answer = theatre.post(&format!("room?{query}"), "ada", &offer).await;
        assert_eq!(answer.status(), 400);
        let problem: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
        assert_eq!(problem["thing"], thing, "{problem}");
    }
}

#[tokio::test]
async fn preflights_need_no_token_and_name_what_is_accepted() {
    let theatre = Theatre::open().await;
    let options = async |path: &str| theatre.send(Request::options(path).body(String::new()).unwrap()).await;
    let endpoint = options("/whip/room").await;
    assert_eq!(endpoint.status(), 200);
    assert_eq!(endpoint.headers()["accept-post"], "application/sdp");
    assert_eq!(endpoint.headers()["access-control-allow-methods"], "POST, OPTIONS");
    let session = options("/whip/room/abc").await;
    assert_eq!(session.headers()["accept-patch"], "application/trickle-ice-sdpfrag");
    assert_eq!(session.headers()["access-control-allow-methods"], "PATCH, DELETE, OPTIONS");
    for answer in [endpoint, session] {
        let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap();
        assert!(["Authorization", "Content-Type", "If-Match"].iter().all(|name| allowed.contains(name)));
    }
}

#[tokio::test]
async fn who_may_publish_learns_the_ice_servers_before_the_offer() {
    let made = IceCredentials::Secret { secret: "shared".into(), ttl: Duration::from_secs(3_600) };
    let ice_servers = vec![
        IceServer { url: "stun:stun.example.net".into(), credentials: None },
        IceServer { url: "turn:turn.example.net".into(), credentials: Some(made) },
    ];
    let config = Config { ice_servers, peer_changes_per_second: 0, peer_change_burst: 2, ..loopback() };
    let theatre = Theatre::with(config).await;
    let options = async |path: &str, token: Option<&str>| {
        let mut request = Request::options(path);
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        theatre.send(request.body(String::new()).unwrap()).await
    };
    let told = options("/whip/room", Some("room:ada")).await;
    assert_eq!((told.status().as_u16(), &told.headers()["cache-control"]), (200, &"no-store".parse().unwrap()));
    assert_eq!(told.headers()["access-control-allow-methods"], "POST, OPTIONS");
    let links: Vec<_> = told.headers().get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    assert_eq!(links[0], "<stun:stun.example.net>; rel=\"ice-server\"");
    assert!(links[1].starts_with("<turn:turn.example.net>; rel=\"ice-server\"; username=\""), "{links:?}");
    assert!(links[1].contains(":ada\"; credential=\""), "made for this peer: {links:?}");

    let preflight = options("/whip/room", None).await;
    assert_eq!((preflight.status().as_u16(), preflight.headers().contains_key("link")), (200, false));
    let session = options("/whip/room/abc", Some("room:ada")).await;
    assert_eq!((session.status().as_u16(), session.headers().contains_key("link")), (200, false));
    for (token, want) in [("nonsense", 401), ("other:ada", 403)] {
        let refused = options("/whip/room", Some(token)).await;
        assert_eq!((refused.status().as_u16(), refused.headers().contains_key("link")), (want, false), "{token}");
    }
    assert_eq!(options("/whip/room", Some("room:ada")).await.status(), 200);
    let often = options("/whip/room", Some("room:ada")).await;
    assert_eq!((often.status().as_u16(), often.headers().contains_key("link")), (429, false));
}

#[tokio::test]
async fn tokens_are_asked_for_and_nothing_is_given_away() {
    let theatre = Theatre::open().await;
    let offer = offer().await;
    let mut bodies = Vec::new();
    for room in ["room", "unknown"] {
        for token in [None, Some("Bearer bad"), Some("Basic cm9vbTphZGE="), Some("bearer"), Some("Bearer ")] {
            let mut request = Request::post(format!("/whip/{room}")).header(SDP.0, SDP.1);
            if let Some(token) = token {
                request = request.header("Authorization", token);
            }
            let answer = theatre.send(request.body(offer.clone()).unwrap()).await;
            assert_eq!(answer.status(), 401, "{token:?}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            bodies.push(answer.into_body());
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "a stranger learns nothing from the body");
    for (token, want) in [("viewer:ada", 403), ("other:ada", 403), ("unknown:ada", 403)] {
        let token = format!("bearer {token}");
        let answer = post(&theatre, &[("Authorization", &token), SDP], &offer).await;
        assert_eq!(answer.status(), want, "{token}");
    }
    let unknown = theatre.post("unknown", "ada", &offer).await;
    assert_eq!(unknown.status(), 404);
    let nobody_can_tell = theatre.post("broken", "ada", &offer).await;
    assert_eq!(nobody_can_tell.status(), 503, "a token that may be good is not refused for good");
    assert!(nobody_can_tell.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn somebody_elses_session_is_out_of_reach() {
    let theatre = Theatre::open().await;
    let mut subscription = theatre.subscribe("room").await;
    let joined = theatre.join_udp("room", "ada").await;
    let fragment = "a=ice-ufrag:evil\r\na=ice-pwd:0123456789012345678901\r\n";
    for (token, want) in [("room:eve", 403), ("other:ada", 403), ("bad", 401), ("viewer:ada", 403)] {
        for method in [Method::PATCH, Method::DELETE] {
            let answer = theatre.change(method.clone(), &joined.url, token, Some("*"), fragment).await;
            assert_eq!(answer.status(), want, "{method} by {token}");
        }
    }
    // By way of another room in which eve may publish.
    let moved = joined.url.replace("/whip/room/", "/whip/other/");
    let answer = theatre.change(Method::DELETE, &moved, "other:ada", None, "").await;
    assert_eq!(answer.status(), 404);
    assert_eq!(theatre.stage.stats().await.len(), 1, "it still runs");
    assert!(subscription.events.try_recv().is_err());
}

/// Whoever authorises may let a session be changed and ended in a room that takes no new ones.
#[tokio::test]
async fn joining_and_leaving_are_asked_for_apart() {
    let theatre = Theatre::open().await;
    let joined = theatre.join_udp("room", "ada").await;
    let refused = post(&theatre, &[("Authorization", "Bearer closed:ada"), SDP], &offer().await).await;
    assert_eq!(refused.status(), 403);
    let left = theatre.change(Method::DELETE, &joined.url, "closed:ada", None, "").await;
    assert_eq!(left.status(), 200);
    assert!(theatre.stage.stats().await.is_empty());
}

#[tokio::test]
async fn offers_that_cannot_be_taken_are_refused_whole() {
    let theatre = Theatre::with(Config { peer_offer_burst: 100, ..loopback() }).await;
    let good = offer().await;
    let huge = format!("{good}{}", "a=x:0123456789012345678901234567890123456789\r\n".repeat(2_000));
    let check = async |what: &str, offer: String, want: u16| {
        let answer = post(&theatre, &[TOKEN, SDP], &offer).await;
        assert_eq!(answer.status(), want, "{what}: {}", answer.body());
        let problem: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
        assert!(problem["cure"].as_str().is_some_and(|cure| !cure.is_empty()));
    };
    check("empty", String::new(), 400).await;
    check("not SDP", "hello".into(), 400).await;
    check("cut off", good[..good.len() / 2].into(), 406).await;
    check("over 64 KB", huge, 413).await;
    check("no supported video codec", good.replace("H264/", "H265/").replace("VP8/", "H266/"), 406).await;
    check("no supported audio codec", good.replace("opus/", "PCMU/"), 406).await;
    check("recvonly", good.replace("a=sendonly", "a=recvonly"), 406).await;
    check("no bundle", good.replace("a=group:BUNDLE", "a=group:LS"), 406).await;
    check("no rtcp-mux", good.replace("a=rtcp-mux\r\n", ""), 406).await;
    check("DTLS on hold", good.replace("a=setup:actpass", "a=setup:holdconn"), 422).await;
    let video = &good[good.find("m=video").unwrap()..];
    check("two videos", format!("{good}{video}"), 406).await;
    assert!(theatre.stage.stats().await.is_empty());
    let answer = post(&theatre, &[TOKEN, SDP], &good.replace("a=sendonly", "a=sendrecv")).await;
    assert_eq!(answer.status(), 201, "sendrecv is allowed");
    assert!(answer.body().contains("a=recvonly"), "{}", answer.body());
    for (offered, answered) in [("active", "passive"), ("passive", "active")] {
        let answer = post(&theatre, &[TOKEN, SDP], &good.replace("setup:actpass", &format!("setup:{offered}"))).await;
        assert_eq!(answer.status(), 201, "{offered} is allowed");
        assert!(answer.body().contains(&format!("a=setup:{answered}")), "{}", answer.body());
    }
}

#[tokio::test]
async fn other_media_types_are_415() {
    let theatre = Theatre::open().await;
    for kind in ["text/plain", "application/json", "application/trickle-ice-sdpfrag"] {
        let answer = post(&theatre, &[TOKEN, ("Content-Type", kind)], &offer().await).await;
        assert_eq!(answer.status(), 415, "{kind}");
    }
}
