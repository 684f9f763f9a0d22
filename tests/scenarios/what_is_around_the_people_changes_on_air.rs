//! An application names the people on stage and dresses it: names, a color or a picture behind them, a logo and a lower third come and go on air, without
//! a cut.

use crate::harness::clips;
use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::{Viewer, luma_pictures, until};
use crate::harness::publishers::send;
use crate::harness::server::{PATIENCE, SMALL, Server};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const DARK: u8 = 60;
const LIGHT: u8 = 200;
const WIDTH: usize = 320;
const HEIGHT: usize = 180;

/// Places of the picture, each from its upper left corner to its lower right one. Two tiles of 160x90 stand side by side in its middle.
type Area = (usize, usize, usize, usize);
const NAME_OF_THE_FIRST: Area = (4, 116, 60, 132);
const NAME_OF_THE_SECOND: Area = (164, 116, 220, 132);
const BEHIND: Area = (100, 4, 200, 40);
const LOGO: Area = (288, 12, 308, 22);
const LOWER_THIRD: Area = (10, 154, 60, 170);

#[tokio::test(flavor = "multi_thread")]
async fn and_each_is_seen() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let _dark = send(&server, "room", "dark", clips::grey(DARK, 320, 180, 60)).await;
    let _light = send(&server, "room?name=Grace", "light", clips::grey(LIGHT, 320, 180, 60)).await;
    let mut viewer = Viewer::new(&server, "room", &stream, "180p");
    viewer.watch_to(6).await;
    let bare = Picture::last(&viewer);
    assert!(bare.is_even(NAME_OF_THE_FIRST, DARK) && bare.is_even(NAME_OF_THE_SECOND, LIGHT));
    assert!(bare.brightest(BEHIND) < 80 && bare.brightest(LOWER_THIRD) < 80, "the stage");

    let path = |what: &str| format!("/v2/live-streams/{stream}/{what}");
    let dressed = json!({"names": {"dark": "Ада ᏣᎳᎩ", "nobody yet": "Grace"}, "background": {"color": "#FFFFFF"},
        "lower_third": {"title": "Lovelace", "subtitle": "لوفلايس"}});
    let answer = server.rest(Method::POST, &path("layout"), dressed.clone()).await;
    assert_eq!(answer["names"], dressed["names"]);
    let warning = "names.dark: no font has Ꮳ (U+13E3), Ꮃ (U+13B3), Ꭹ (U+13A9); boxes are drawn instead";
    assert_eq!(answer["warnings"], json!([warning]));
    viewer.watch_to(viewer.segments.len() as u64 + 3).await;
    let seen = Picture::last(&viewer);
    let name = (seen.darkest(NAME_OF_THE_FIRST), seen.brightest(NAME_OF_THE_FIRST));
    assert!(name.0 < DARK - 20 && name.1 > DARK + 60, "a name on its plate: {name:?}");
    assert!(seen.is_even(NAME_OF_THE_SECOND, LIGHT), "who is not named");
    assert!(seen.is_even(BEHIND, 255));
    assert!(seen.darkest(LOWER_THIRD) < 130 && seen.brightest(LOWER_THIRD) > 170, "letters on a plate");

    let logo = upload(&server, &path("logo"), clips::png("black", 28, 18)).await;
    assert_eq!(logo, (StatusCode::OK, json!({"width": 28, "height": 18})));
    let background = upload(&server, &path("background"), clips::png("0x808080", 400, 400)).await;
    assert_eq!(background, (StatusCode::OK, json!({"width": 400, "height": 400})));
    server.rest(Method::POST, &path("layout"), json!({"show_names": true})).await;
    viewer.watch_to(viewer.segments.len() as u64 + 3).await;
    let seen = Picture::last(&viewer);
    assert!(seen.is_even(BEHIND, 128) && seen.is_even(LOWER_THIRD, 128), "the picture, and no lower third");
    assert!(seen.is_even(LOGO, 0), "{}..{}", seen.darkest(LOGO), seen.brightest(LOGO));
    assert!(seen.darkest(NAME_OF_THE_SECOND) < LIGHT - 60, "everybody who has a name");
    assert!(seen.is_even(NAME_OF_THE_FIRST, DARK), "and nobody by their id");

    for (body, status, why) in [
        (b"<svg/>".to_vec(), 400, "an SVG, which may link to elsewhere; send PNG, JPEG or WebP"),
        (Vec::new(), 400, "the body is empty"),
        (vec![0; (4 << 20) + 1], 413, "larger than 4194304 bytes"),
        (clips::png("red", 5_000, 2), 400, "5000x2 pixels; give at most 4096x4096"),
        (clips::png("red", 64, 64)[..60].to_vec(), 400, "the picture"),
    ] {
        let (refused, answer) = upload(&server, &path("logo"), body).await;
        assert_eq!(refused.as_u16(), status, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(why), "{answer}");
    }
    server.rest(Method::DELETE, &path("logo"), json!({})).await;
    server.rest(Method::DELETE, &path("background"), json!({})).await;
    viewer.watch_to(viewer.segments.len() as u64 + 3).await;
    let seen = Picture::last(&viewer);
    assert!(seen.brightest(BEHIND) < 80 && seen.brightest(LOGO) < 80, "the stage again");
    assert_eq!(viewer.discontinuities(), 0, "{:?}", viewer.segments);
    assert_ffmpeg_decodes(viewer.file());
    server.end().await;
}

/// Of a layout's own texts its answer says so; a name that somebody comes with is in none.
#[tokio::test(flavor = "multi_thread")]
async fn and_names_without_a_font_are_told_of_whoever_gave_them() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("room").await;
    let path = format!("/v2/live-streams/{stream}/layout");
    let of = |user: &str| format!("show_names.{user}: no font has Ꮳ (U+13E3); boxes are drawn instead");
    let get = async || server.rest(Method::GET, &path, json!({})).await["warnings"].clone();
    let post = async |body: Value| server.rest(Method::POST, &path, body).await["warnings"].clone();
    let name = "%E1%8F%A3";
    let _first = send(&server, &format!("room?name={name}"), "first", clips::grey(DARK, 320, 180, 2)).await;
    until(PATIENCE, || async { (post(json!({"show_names": true})).await == json!([of("first")])).then_some(()) }).await;
    // Somebody comes with such a name while names are shown.
    let _second = send(&server, &format!("room?name={name}"), "second", clips::grey(LIGHT, 320, 180, 2)).await;
    let _readable = send(&server, "room?name=Grace", "third", clips::grey(LIGHT, 320, 180, 2)).await;
    until(PATIENCE, || async { (get().await == json!([of("first"), of("second")])).then_some(()) }).await;
    let warned = |line: &String| line.contains("WARN") && line.contains("second");
    until(PATIENCE, || async { server.log().lines("no font has").iter().any(warned).then_some(()) }).await;
    assert_eq!(post(json!({"show_names": true, "names": {"first": "Ada"}})).await, json!([of("second")]));
    assert_eq!(post(json!({})).await, json!([]), "nobody's name is shown");
    assert_eq!(get().await, json!([]));
    server.end().await;
}

async fn upload(server: &Server, path: &str, file: Vec<u8>) -> (StatusCode, Value) {
    let token = server.token(&["management"]).await;
    let (status, _, answer) = server.send(Method::POST, path, Some(&token), "image/png", file.into()).await;
    (status, serde_json::from_slice(&answer).unwrap())
}

/// Brightness of one picture's pixels.
struct Picture(Vec<u8>);

impl Picture {
    fn last(viewer: &Viewer<'_>) -> Self {
        Self(luma_pictures(viewer.file(), WIDTH, HEIGHT).pop().expect("pictures"))
    }

    fn pixels(&self, (left, top, right, bottom): Area) -> impl Iterator<Item = u8> {
        (top..bottom).flat_map(move |y| self.0[y * WIDTH + left..y * WIDTH + right].iter().copied())
    }

    fn brightest(&self, area: Area) -> u8 {
        self.pixels(area).max().unwrap()
    }

    fn darkest(&self, area: Area) -> u8 {
        self.pixels(area).min().unwrap()
    }

    /// As far as the encoder and the limited range let it be.
    fn is_even(&self, area: Area, luma: u8) -> bool {
        self.pixels(area).all(|pixel| pixel.abs_diff(luma) <= 12)
    }
}
