//! Every route but two asks for a token, a token is good for its kind and its room only, and a refusal changes nothing: stock
//! clients send every refused request a second time.

use crate::harness::{HOUR, Harness, now};
use footlight_control::credentials::Credentials;
use footlight_control::rooms::token::{mint_auth, mint_management};
use footlight_control::{Ask, Obstacle, Refusal, random_uuid};
use http::{Method, Request};
use sqlx::Connection;
use std::time::Duration;

#[tokio::test]
async fn over_the_api() {
    let h = Harness::new().await;
    let stranger = Credentials::new(h.credentials.access_key(), &"x".repeat(64));
    let minute = Duration::from_secs(60);
    let unauthorized = [
        (None, "no token"),
        (Some(String::new()), "not a token"),
        (Some("nonsense".to_owned()), "not a token"),
        (Some(mint_management(&stranger, now(), HOUR, &random_uuid())), "signature does not match"),
        (Some(mint_management(&h.credentials, now() - HOUR, HOUR - 2 * minute, &random_uuid())), "expired"),
        (Some(mint_management(&h.credentials, now() + 2 * minute, HOUR, &random_uuid())), "not valid yet"),
        // {"alg":"none"}.{"access_key":"k","type":"management","exp":9999999999}.
        (
            Some(
                "eyJhbGciOiJub25lIn0.eyJhY2Nlc3Nfa2V5IjoiayIsInR5cGUiOiJtYW5hZ2VtZW50IiwiZXhwIjo5OTk5OTk5OTk5fQ."
                    .to_owned(),
            ),
            "HS256",
        ),
    ];
    for (token, want) in &unauthorized {
        let body = "{\"id\": \"made\"}".to_owned();
        let answer = h.send(Method::POST, "/v2/rooms", token.as_deref(), body).await;
        answer.refused(401, want);
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert!(answer.body["message"].as_str().unwrap().starts_with("Token validation error"));
    }
    let auth = h.auth("made", "broadcaster");
    let body = "{\"id\": \"made\"}".to_owned();
    h.send(Method::POST, "/v2/rooms", Some(&auth), body).await.refused(403, "management token");
    h.get("/v2/rooms/made").await.refused(404, "made");
    assert!(!h.control.verify_management(&auth).await && h.control.verify_management(&h.management()).await);
}

#[tokio::test]
async fn for_publishing() {
    let h = Harness::new().await;
    h.control.ensure_room("r1").await.unwrap();
    h.control.ensure_room("r2").await.unwrap();
    let check = async |room: &str, token: Option<&str>, want: Refusal| {
        for ask in [Ask::Join, Ask::Change] {
            assert_eq!(
                h.control.authorize_publish(room, token, ask).await,
                Err(want.clone()),
                "{ask:?} {room} {token:?}"
            );
        }
    };
    let (broadcaster, viewer) = (h.auth("r1", "broadcaster"), h.auth("r1", "viewer-realtime"));
    assert_eq!(h.control.authorize_publish("r1", Some(&broadcaster), Ask::Join).await.unwrap().user, "u1");
    check("r1", None, Refusal::Unauthorized).await;
    check("r1", Some("nonsense"), Refusal::Unauthorized).await;
    check("r1", Some(&viewer), Obstacle::Role("viewer-realtime".into()).into()).await;
    check("r1", Some(&h.auth("r1", "juggler")), Obstacle::Role("juggler".into()).into()).await;
    check("r1", Some(&h.management()), Obstacle::Management.into()).await;
    check("r2", Some(&broadcaster), Obstacle::OtherRoom.into()).await;
    check("none", Some(&h.auth("none", "broadcaster")), Refusal::UnknownRoom).await;
    let expired = mint_auth(&h.credentials, "r1", "broadcaster", "u1", now() - 2 * HOUR, HOUR, &random_uuid());
    check("r1", Some(&expired), Refusal::Unauthorized).await;
    let elsewhere = Credentials::new("elsewhere", &"x".repeat(64));
    let foreign = mint_auth(&elsewhere, "r1", "broadcaster", "u1", now(), HOUR, &random_uuid());
    check("r1", Some(&foreign), Refusal::Unauthorized).await;
}

#[tokio::test]
async fn a_catalog_that_does_not_answer_is_not_the_publisher_s_fault() {
    let h = Harness::new().await;
    h.control.ensure_room("r1").await.unwrap();
    let file = format!("sqlite:{}", h.dir.path().join("catalog.db").display());
    let mut other = sqlx::SqliteConnection::connect(&file).await.unwrap();
    sqlx::query("ALTER TABLE rooms RENAME TO elsewhere").execute(&mut other).await.unwrap();
    let asked = h.control.authorize_publish("r1", Some(&h.auth("r1", "broadcaster")), Ask::Join).await;
    assert_eq!(asked, Err(Refusal::Unavailable));
}

#[tokio::test]
async fn a_token_is_asked_for_before_the_body_is_looked_at() {
    let h = Harness::new().await;
    let request = Request::post("/v2/rooms").body("nonsense".into()).unwrap();
    h.raw(request).await.refused(401, "no token");
    let body = "nonsense".to_owned();
    let start = "/v2/live-streams/room/r1/start";
    h.send(Method::POST, start, Some(&h.auth("r2", "broadcaster")), body).await.refused(403, "r2");
}
