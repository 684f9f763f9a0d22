//! A layout or a mix goes to whoever makes the stream, and what they say of it comes back.

use crate::harness::Harness;
use axum::body::Body;
use footlight_control::{Arrangement, Command, Control, Event, Fader, Layout, NotDirected, Undrawn, Wish};
use http::{Method, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// The body of the answer to a POST, which waits for whoever makes the stream.
async fn ask(control: Control, path: String, token: String, body: Value) -> Value {
    send(control, Method::POST, path, token, body.to_string().into()).await
}

async fn send(control: Control, method: Method, path: String, token: String, body: Vec<u8>) -> Value {
    let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let response = control.router().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

/// Posts a wish while whoever makes streams answers it.
async fn direct(h: &mut Harness, path: String, body: Value, made: Result<Vec<Undrawn>, NotDirected>) -> (Wish, Value) {
    let control = h.control.clone();
    let asking = tokio::spawn(ask(control, path, h.management(), body));
    let Some(Command::DirectStream { room, wish, directed, .. }) = h.commands.recv().await else {
        panic!("nothing else is asked for")
    };
    assert_eq!(room, "demo");
    directed.send(made).unwrap();
    (wish, asking.await.unwrap())
}

#[tokio::test]
async fn by_a_server() {
    let mut h = Harness::new().await;
    h.control.ensure_room("demo").await.unwrap();
    let stream = h.control.start_stream("demo").await.unwrap().id;
    assert!(matches!(h.commands.recv().await, Some(Command::StartStream { .. })));

    let path = format!("/v2/live-streams/{stream}/layout");
    let body = json!({"type": "sidebar", "focus": "ada"});
    let (layout, answer) = direct(&mut h, path.clone(), body, Ok(Vec::new())).await;
    let want = Layout { arrangement: Arrangement::Sidebar, focus: Some("ada".into()), ..Layout::default() };
    assert_eq!(layout, Wish::Layout(want));
    assert_eq!(
        answer,
        json!({"type": "sidebar", "scaling": "fit", "focus": "ada", "follow_speaker": false, "pinned": null, "screens": "large", "transition": "smooth",
            "names": {}, "show_names": false, "background": null, "lower_third": null, "warnings": []})
    );
    let undrawn = vec![Undrawn { field: "names.ada".into(), characters: vec!['Ꮳ', '😀'] }];
    let body = json!({"names": {"ada": "Ꮳ 😀"}, "show_names": true});
    let (layout, answer) = direct(&mut h, path.clone(), body, Ok(undrawn)).await;
    let Wish::Layout(layout) = layout else { panic!("{layout:?}") };
    assert!(layout.show_names && layout.names["ada"] == "Ꮳ 😀");
    let warning = "names.ada: no font has Ꮳ (U+13E3), 😀 (U+1F600); boxes are drawn instead";
    assert_eq!((&answer["names"]["ada"], &answer["warnings"]), (&json!("Ꮳ 😀"), &json!([warning])));

    let on_stage = vec!["ada".to_owned(), "grace".to_owned()];
    let nobody = NotDirected::NotOnStage { field: "focus", peer: "alan".into(), on_stage };
    let (_, refused) = direct(&mut h, path.clone(), json!({"focus": "alan"}), Err(nobody)).await;
    assert_eq!(refused["code"], 400);
    assert_eq!(refused["message"], "focus: \"alan\" is not on stage in this room; on stage are \"ada\", \"grace\"");

    let (_, refused) = direct(&mut h, path.clone(), json!({}), Err(NotDirected::Over)).await;
    assert!(refused["message"].as_str().unwrap().contains("is over; only one that goes on"), "{refused}");

    h.post(&path, json!({"type": "wall"})).await.refused(400, "use one of grid");
    h.post("/v2/live-streams/none/layout", json!({})).await.refused(404, "none");
    h.happen(Event::StreamEnded { stream: stream.clone() }).await;
    h.post(&path, json!({})).await.refused(400, "is completed");
}

#[tokio::test]
async fn by_who_may_stream_in_the_room() {
    let mut h = Harness::new().await;
    h.control.ensure_room("demo").await.unwrap();
    h.control.ensure_room("other").await.unwrap();
    let stream = h.control.start_stream("demo").await.unwrap().id;
    assert!(matches!(h.commands.recv().await, Some(Command::StartStream { .. })));
    let path = format!("/v2/live-streams/{stream}/layout");
    let token = h.auth("demo", "viewer-on-stage");
    h.send(Method::POST, &path, Some(&token), "{}".into()).await.refused(403, "may not direct the live stream");
    // A stream of another room is as one that is not there.
    let token = h.auth("other", "broadcaster");
    let there = h.send(Method::POST, &path, Some(&token), "{}".into()).await;
    there.refused(404, "there is no such live stream");
    assert!(!there.body.to_string().contains("demo"), "{there:?}");
    let (token, control) = (h.auth("demo", "broadcaster"), h.control.clone());
    let asking = tokio::spawn(ask(control, path, token, json!({})));
    let Some(Command::DirectStream { directed, .. }) = h.commands.recv().await else { panic!("it may") };
    directed.send(Ok(Vec::new())).unwrap();
    assert_eq!(asking.await.unwrap()["type"], "grid");
}

#[tokio::test]
async fn a_mix() {
    let mut h = Harness::new().await;
    h.control.ensure_room("demo").await.unwrap();
    let stream = h.control.start_stream("demo").await.unwrap().id;
    assert!(matches!(h.commands.recv().await, Some(Command::StartStream { .. })));
    let path = format!("/v2/live-streams/{stream}/mix");

    let body = json!({"voices": {"ada": {"gain_db": -6.5}, "grace": {"muted": true}}});
    let (wish, answer) = direct(&mut h, path.clone(), body, Ok(Vec::new())).await;
    let Wish::Mix(mix) = wish else { panic!("{wish:?}") };
    assert_eq!(mix.voices["ada"], Fader { gain_db: -6.5, muted: false });
    assert_eq!(mix.voices["grace"], Fader { gain_db: 0.0, muted: true });
    let want = json!({"voices": {"ada": {"gain_db": -6.5, "muted": false}, "grace": {"gain_db": 0.0, "muted": true}}});
    assert_eq!(answer, want);

    h.post(&path, json!({"voices": {"ada": {"gain_db": 1e9}}})).await.refused(400, "give -60 to 20");
    h.post("/v2/live-streams/none/mix", json!({})).await.refused(404, "none");
    let token = h.auth("demo", "viewer-on-stage");
    h.send(Method::POST, &path, Some(&token), "{}".into()).await.refused(403, "may not direct the live stream");
}

/// A PNG of one pixel, white (its chunks by PNG section 11).
const PIXEL: &[u8] = b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\x3a\x7e\x9b\x55\
    \x00\x00\x00\x0a\x49\x44\x41\x54\x78\x9c\x63\xf8\x0f\x00\x01\x01\x01\x00\xb1\x38\xf6\x14\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

#[tokio::test]
async fn a_background_and_a_logo() {
    let mut h = Harness::new().await;
    h.control.ensure_room("demo").await.unwrap();
    let stream = h.control.start_stream("demo").await.unwrap().id;
    assert!(matches!(h.commands.recv().await, Some(Command::StartStream { .. })));
    let path = |what: &str| format!("/v2/live-streams/{stream}/{what}");

    let cases = [
        (Method::POST, path("background"), "Background(Some(Picture(1x1)))"),
        (Method::POST, path("logo"), "Logo(Some((Picture(1x1), TopRight)))"),
        (Method::POST, path("logo?corner=bottom-left"), "Logo(Some((Picture(1x1), BottomLeft)))"),
        (Method::DELETE, path("background"), "Background(None)"),
        (Method::DELETE, path("logo"), "Logo(None)"),
    ];
    for (method, path, want) in cases {
        let asking = send(h.control.clone(), method.clone(), path, h.auth("demo", "broadcaster"), PIXEL.to_vec());
        let asking = tokio::spawn(asking);
        let Some(Command::DirectStream { wish, directed, .. }) = h.commands.recv().await else { panic!("{want}") };
        assert_eq!(format!("{wish:?}"), want);
        directed.send(Ok(Vec::new())).unwrap();
        let answer = if method == Method::POST { json!({"width": 1, "height": 1}) } else { json!({}) };
        assert_eq!(asking.await.unwrap(), answer);
    }

    let (management, viewer) = (h.management(), h.auth("demo", "viewer-on-stage"));
    let post = async |path: String, token: &str, body: &[u8]| {
        send(h.control.clone(), Method::POST, path, token.to_owned(), body.to_vec()).await
    };
    let check = |refused: Value, code: u16, why: &str| {
        assert_eq!(refused["code"], code, "{refused}");
        assert!(refused["message"].as_str().unwrap().contains(why), "{refused}");
    };
    for what in ["background", "logo"] {
        check(post(path(what), &viewer, PIXEL).await, 403, "may not direct the live stream");
        check(post(path(what), &management, b"").await, 400, "the body is empty; send a PNG, JPEG or WebP picture");
        check(post(path(what), &management, b"<svg/>").await, 400, "an SVG, which may link to elsewhere");
        check(post(path(what), &management, &PIXEL[..50]).await, 400, "the picture cannot be read");
        let long = vec![0; (4 << 20) + 1];
        check(post(path(what), &management, &long).await, 413, "the body is larger than 4194304 bytes; send less");
        check(post(format!("/v2/live-streams/none/{what}"), &management, PIXEL).await, 404, "none");
    }
    check(
        post(path("logo?corner=middle"), &management, PIXEL).await,
        400,
        "corner: \"middle\" is none; use one of top-left",
    );
    check(post(path("layout"), &management, &vec![b' '; 70_000]).await, 413, "larger than 65536 bytes");
}

/// Their pictures are in memory until they are where they are needed: whoever hangs up does not make room for more.
#[tokio::test]
async fn of_pictures_no_more_than_two_at_once_whoever_hangs_up() {
    let mut h = Harness::new().await;
    h.control.ensure_room("demo").await.unwrap();
    let stream = h.control.start_stream("demo").await.unwrap().id;
    assert!(matches!(h.commands.recv().await, Some(Command::StartStream { .. })));
    let path = format!("/v2/live-streams/{stream}/background");
    let (control, token) = (h.control.clone(), h.management());
    let upload = || send(control.clone(), Method::POST, path.clone(), token.clone(), PIXEL.to_vec());
    let mut unanswered = Vec::new();
    for _ in 0..2 {
        let asking = tokio::spawn(upload());
        let Some(Command::DirectStream { directed, .. }) = h.commands.recv().await else { panic!("no picture") };
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        unanswered.push(directed);
    }
    tokio::time::pause();
    let refused = upload().await;
    assert_eq!(refused["message"], "too many are uploading pictures just now; try again in a few seconds");
    tokio::time::resume();
    unanswered.into_iter().for_each(|directed| directed.send(Ok(Vec::new())).unwrap());
    let asking = tokio::spawn(upload());
    let Some(Command::DirectStream { directed, .. }) = h.commands.recv().await else { panic!("no picture") };
    directed.send(Ok(Vec::new())).unwrap();
    assert_eq!(asking.await.unwrap(), json!({"width": 1, "height": 1}));
}
