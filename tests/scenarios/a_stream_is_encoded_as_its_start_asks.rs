//! What a stream encodes is what its start asks for, or its room's template: sizes, codecs and sound are seen in what is played.

use crate::harness::packaging::assert_ffmpeg_decodes;
use crate::harness::playback::{self, Viewer};
use crate::harness::server::{PATIENCE, Server};
use http::{Method, StatusCode};
use m3u8_rs::MasterPlaylist;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

const PORTS: &str = r#"
http: {listen: "127.0.0.1:0"}
https: {listen: ""}
admin: {listen: "127.0.0.1:0"}
webrtc: {listen: "127.0.0.1:0"}
"#;

/// Starts a room's stream and waits until it plays. Answers with its id and its multivariant playlist.
async fn start(server: &Server, room: &str, body: Value) -> (String, MasterPlaylist) {
    let stream = server.rest(Method::POST, &format!("/v2/live-streams/room/{room}/start"), body).await;
    let path = format!("/live/{room}/master.m3u8");
    let text = playback::until(PATIENCE, || async {
        let (status, body) = server.get(&path).await;
        (status == StatusCode::OK).then_some(body)
    });
    let master = m3u8_rs::parse_master_playlist_res(&text.await).unwrap();
    (stream["id"].as_str().unwrap().to_owned(), master)
}

/// What ffprobe finds in three segments of a rendition, which ffmpeg decodes without a word: its codec, and its size or the channels of its sound.
async fn probed(server: &Server, (room, stream): (&str, &str), rendition: &str) -> String {
    let mut viewer = Viewer::new(server, room, stream, rendition);
    viewer.watch_to(3).await;
    assert_ffmpeg_decodes(viewer.file());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.mp4");
    std::fs::write(&file, viewer.file()).unwrap();
    let entries = ["-v", "error", "-show_entries", "stream=codec_name,width,height,channels", "-of", "csv=p=0"];
    let output = Command::new("ffprobe").args(entries).arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn variants(master: &MasterPlaylist) -> Vec<(String, u64)> {
    let height = |variant: &m3u8_rs::VariantStream| variant.resolution.map_or(0, |size| size.height);
    let name =
        |variant: &m3u8_rs::VariantStream| variant.codecs.clone().unwrap().split(',').next().unwrap()[..4].to_owned();
    master.variants.iter().map(|variant| (name(variant), height(variant))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_layers_of_its_own_or_of_a_destination_of_its_template() {
    let server = Server::start(&["serve"], PORTS).await;
    let small = json!({"name": "small", "layers": [
        {"width": 320, "height": 180, "videoBitrate": 200, "audioBitrate": 48, "codec": "libaom-av1", "preset": "ultrafast"},
        {"width": 320, "height": 180, "videoBitrate": 300, "audioBitrate": 64},
    ], "videoFrameRate": 25});
    let template = json!({"name": "small", "destinations": {"hlsDestinations": {"small": small}}});
    let template = server.rest(Method::POST, "/v2/templates", template).await;
    for (room, template) in [("own", &json!(null)), ("templated", &template["id"])] {
        server.rest(Method::POST, "/v2/rooms", json!({"name": room, "id": room, "template_id": template})).await;
    }
    // What cannot be is said, and nothing has started.
    let layers = json!({"layers": [{"height": 721}]}).to_string();
    let token = server.token(&["management"]).await;
    let body = Some(("application/json", layers));
    let (status, _, answer) = server.request(Method::POST, "/v2/live-streams/room/own/start", Some(&token), body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let why = r#"layers: size 1280x721 of \"721p\": both sides have to be even"#;
    assert!(String::from_utf8_lossy(&answer).contains(why), "{answer:?}");

    let layers = json!([
        {"height": 1080, "preset": "ultrafast", "audio_bitrate": 128},
        {"height": 360, "codec": "libx265", "preset": "ultrafast", "audio_bitrate": 64},
    ]);
    let (stream, master) = start(&server, "own", json!({"layers": layers})).await;
    assert_eq!(variants(&master), [("avc1".to_owned(), 1080), ("hvc1".to_owned(), 360)]);
    let of = ("own", stream.as_str());
    assert_eq!(probed(&server, of, "1080p").await, "h264,1920,1080");
    assert_eq!(probed(&server, of, "360p").await, "hevc,640,360");
    assert_eq!(probed(&server, of, "audio-64").await, "aac,2");
    server.rest(Method::POST, "/v2/live-streams/room/own/stop", json!({})).await;

    let (stream, master) = start(&server, "templated", json!({})).await;
    assert_eq!(variants(&master), [("av01".to_owned(), 180), ("avc1".to_owned(), 180)]);
    assert!(master.variants.iter().all(|variant| variant.frame_rate == Some(25.0)));
    let of = ("templated", stream.as_str());
    assert_eq!(probed(&server, of, "180p").await, "av1,320,180");
    assert_eq!(probed(&server, of, "180p-2").await, "h264,320,180");
    in_thirds_of_a_second(&server, of).await;
    listens(&server).await;
    server.end().await;
}

/// Of 25 pictures a second a part has 8 or 9, the key frame of each second begins one, and the longest is what is announced.
async fn in_thirds_of_a_second(server: &Server, (room, stream): (&str, &str)) {
    let (_, text) = server.get(&format!("/hls/{room}/{stream}/180p-2/media.m3u8")).await;
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.contains("PART-HOLD-BACK=1.080") && text.contains("#EXT-X-PART-INF:PART-TARGET=0.360"), "{text}");
    let lengths = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PART:DURATION="));
    let parts: Vec<(&str, bool)> =
        lengths.map(|line| (line.split(',').next().unwrap(), line.contains("INDEPENDENT=YES"))).collect();
    assert!(parts.len() > 6, "{text}");
    for (at, (seconds, key)) in parts.iter().enumerate() {
        let want = if at % 3 == 2 { "0.36" } else { "0.32" };
        assert!(seconds.starts_with(want) && *key == (at % 3 == 0), "part {at}: {seconds}, {key}: {text}");
    }
    let segments: Vec<&str> = text.lines().filter(|line| line.starts_with("#EXTINF:")).collect();
    assert!(segments.iter().all(|line| line.starts_with("#EXTINF:2.0")), "{segments:?}");
}

/// A player of sound alone is given sound alone.
async fn listens(server: &Server) {
    let url = format!("{}/live/templated/listen.m3u8", server.url("http"));
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name,codec_type", "-of", "csv=p=0", &url])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    // The streams of each variant, and then those of all.
    let streams: BTreeSet<_> = said.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(streams, BTreeSet::from(["aac,audio"]), "{}", String::from_utf8_lossy(&output.stderr));
}
