//! Questions go to whoever makes the streams, from those who may know; and what is said of them comes back.

use crate::harness::Harness;
use axum::body::Body;
use bytes::Bytes;
use footlight_control::{Command, Direction, NoSnapshot, Question, Viewers};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// Asks while whoever makes streams answers by `answer`.
async fn get(h: &mut Harness, path: &str, token: &str, answer: impl FnOnce(Question)) -> (StatusCode, String, Bytes) {
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let asking = tokio::spawn(h.control.router().oneshot(request.body(Body::empty()).unwrap()));
    answer(h.questions.recv().await.unwrap());
    let response = asking.await.unwrap().unwrap();
    let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    (response.status(), kind, response.into_body().collect().await.unwrap().to_bytes())
}

/// A room with a stream.
async fn live(h: &mut Harness) -> String {
    h.control.ensure_room("demo").await.unwrap();
    h.control.ensure_room("other").await.unwrap();
    let stream = h.control.start_stream("demo").await.unwrap().id;
    assert!(matches!(h.commands.recv().await, Some(Command::StartStream { .. })));
    stream
}

#[tokio::test]
async fn by_who_may_be_on_stage() {
    let mut h = Harness::new().await;
    let stream = live(&mut h).await;
    let nobody = |question| match question {
        Question::OnStage { room, answer } if room == "demo" => answer.send(Vec::new()).unwrap(),
        other => panic!("{other:?}"),
    };
    for token in [h.management(), h.auth("demo", "viewer-on-stage")] {
        let (status, _, body) = get(&mut h, "/v2/active-rooms/demo/peers", &token, nobody).await;
        assert_eq!((status, serde_json::from_slice::<Value>(&body).unwrap()), (StatusCode::OK, json!({"peers": {}})));
    }
    let watching = |question| match question {
        Question::Viewers { room, answer, .. } if room == "demo" => {
            answer.send(Viewers { viewers: 7, window_seconds: 60 }).unwrap();
        }
        other => panic!("{other:?}"),
    };
    let token = h.auth("demo", "viewer-on-stage");
    let (_, _, body) = get(&mut h, &format!("/v2/live-streams/{stream}/viewers"), &token, watching).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!({"viewers": 7, "window_seconds": 60}));

    let refused = async |path: &str, token: &str, status: u16, text: &str| {
        h.send(Method::GET, path, Some(token), String::new()).await.refused(status, text);
    };
    let (viewer, stranger) = (h.auth("demo", "viewer-realtime"), h.auth("other", "broadcaster"));
    for path in ["/v2/active-rooms/demo/peers", "/v2/active-rooms/demo/events"] {
        refused(path, &viewer, 403, "may not see who is on stage").await;
        refused(path, &stranger, 403, "may not see who is on stage").await;
    }
    refused("/v2/active-rooms/nowhere/peers", &h.management(), 404, "no such room").await;
    // A stream of another room is as one that is not there.
    refused(&format!("/v2/live-streams/{stream}/viewers"), &stranger, 404, "no such live stream").await;
}

#[tokio::test]
async fn by_who_directs_a_stream() {
    let mut h = Harness::new().await;
    let stream = live(&mut h).await;
    let path = |what: &str| format!("/v2/live-streams/{stream}/{what}");
    let token = h.auth("demo", "broadcaster");
    let as_at_first = |question| match question {
        Question::Direction { answer, .. } => answer.send(Direction::default()).unwrap(),
        other => panic!("{other:?}"),
    };
    let (_, _, body) = get(&mut h, &path("layout"), &token, as_at_first).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["type"], "grid");
    let (_, _, body) = get(&mut h, &path("mix"), &token, as_at_first).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!({"voices": {}}));

    let picture = |of: Option<&'static str>, taken: Result<&'static [u8], NoSnapshot>| {
        move |question| match question {
            Question::Snapshot { peer, answer, .. } => {
                assert_eq!(peer.as_deref(), of);
                answer.send(taken.map(Bytes::from_static)).unwrap();
            }
            other => panic!("{other:?}"),
        }
    };
    let (status, kind, body) = get(&mut h, &path("snapshot"), &token, picture(None, Ok(b"jpeg"))).await;
    assert_eq!((status, kind.as_str(), &body[..]), (StatusCode::OK, "image/jpeg", &b"jpeg"[..]));
    let nothing = picture(Some("eve"), Err(NoSnapshot::NoPicture));
    let (status, _, body) = get(&mut h, &path("snapshot?peer=eve"), &token, nothing).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(String::from_utf8_lossy(&body).contains(r#"peer \"eve\": has no picture; name one"#), "{body:?}");
    let guest = h.auth("demo", "viewer-on-stage");
    for what in ["layout", "mix", "snapshot"] {
        h.send(Method::GET, &path(what), Some(&guest), String::new()).await.refused(403, "may not direct");
    }
}
