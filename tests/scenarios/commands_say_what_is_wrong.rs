//! What an operator gets wrong is answered with the thing, the value and the cure, and a failing exit status.

use crate::harness::server::{FOOTLIGHT, SMALL, Server};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

fn fails(args: &[&str]) -> String {
    let output = Command::new(FOOTLIGHT).args(args).output().unwrap();
    assert!(!output.status.success(), "footlight {args:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

/// With the token in the environment, where it belongs.
fn publish_fails(args: &[&str], token: &str) -> String {
    let output = Command::new(FOOTLIGHT).arg("publish").args(args).env("FOOTLIGHT_TOKEN", token).output().unwrap();
    assert!(!output.status.success(), "footlight publish {args:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

fn config(folder: &Path, text: &str) -> String {
    let file = folder.join("my.yaml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn a_port_that_cannot_be_had_is_named_with_its_key_and_flag() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = folder.path().join("data").display().to_string();
    let file = config(folder.path(), SMALL);
    for (key, flag) in [
        ("http.listen", "--http"),
        ("https.listen", "--https"),
        ("admin.listen", "--admin"),
        ("webrtc.listen", "--webrtc"),
    ] {
        let check = |address: &str, cure: &str| {
            let said = fails(&["serve", "--config", &file, "--data-dir", &data, flag, address]);
            assert!([address, key, flag, cure].iter().all(|word| said.contains(word)), "{said}");
        };
        check(&address, "stop what uses it");
        check("192.0.2.1:80", "this machine does not have that address");
    }
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever needs it first: the credentials, or with HTTPS its certificate.
    for text in [SMALL.to_owned(), SMALL.replace(r#"https: {listen: ""}"#, r#"https: {listen: "127.0.0.1:0"}"#)] {
        let file = config(folder.path(), &text);
        // Root may write anywhere but below a file.
        let below_a_file = format!("{file}/data");
        let said = fails(&["serve", "--config", &file, "--data-dir", &below_a_file]);
        assert!(said.contains(&below_a_file) && said.contains("data_dir") && said.contains("--data-dir"), "{said}");
        let said = fails(&["serve", "--config", &file, "--data-dir", &file]);
        assert!(said.contains(&format!("data_dir {file}: this is a file")) && said.contains("--data-dir"), "{said}");
    }
}

#[test]
fn a_wrong_configuration_is_named_by_file_key_and_nearest_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), "packager: {playout_delay: 100}");
    let said = fails(&["config", "check", "--config", &file]);
    assert!(
        said.contains(&file) && said.contains("packager.playout_delay") && said.contains("playout_delay_ms"),
        "{said}"
    );
    let said = fails(&["serve", "--config", "/does/not/exist.yaml"]);
    assert!(said.contains("/does/not/exist.yaml"), "{said}");
}

#[test]
fn roles_say_what_they_lack() {
    assert!(fails(&["edge"]).contains("--origin"));
    assert!(fails(&["packager"]).contains("origin.publish_url"));
    assert!(fails(&["origin"]).contains("origin.publish_secret"));
}

#[test]
fn a_token_needs_credentials_and_a_trace_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let said = fails(&["token", "management", "--data-dir", &data]);
    assert!(said.contains("credentials.json"), "{said}");
    let said = fails(&["token", "auth", "--room", "room", "--role", "king", "--user", "me", "--data-dir", &data]);
    assert!(said.contains("king") && said.contains("--role") && said.contains("viewer-on-stage"), "{said}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let said = fails(&["trace", "room", "--admin", &nobody]);
    assert!(said.contains(&nobody) && said.contains("refused") && said.contains("--admin"), "{said}");
}

#[test]
fn the_demo_stays_on_loopback() {
    for (flag, key) in [("--http", "http.listen"), ("--https", "https.listen"), ("--webrtc", "webrtc.listen")] {
        let said = fails(&["demo", flag, "192.0.2.1:0"]);
        assert!(said.contains(key) && said.contains("--public"), "{said}");
    }
}

#[test]
fn wrong_flags_are_answered_with_the_usage() {
    for args in
        [&["serve", "--htp", "x"][..], &["serve", "--http", "nowhere"], &["fly"], &["token", "auth", "--room", "r"]]
    {
        let said = fails(args);
        assert!(said.contains("--help"), "{said}");
    }
    let said = fails(&["serve", "--http", "8080"]);
    assert!(said.contains("'8080' for '--http <ADDR>'") && said.contains("give ADDRESS:PORT"), "{said}");
}

#[test]
fn publish_says_what_it_lacks_and_what_it_was_given_wrong() {
    let check = |args: &[&str], says: &[&str]| {
        let said = publish_fails(args, "token");
        assert!(says.iter().all(|word| said.contains(word)), "{args:?}: {said}");
    };
    let url = "http://127.0.0.1:1/whip/room";
    check(&[url], &["--testsrc", "FILE"]);
    check(&[url, "a.mp4", "--testsrc"], &["--testsrc", "cannot be used with"]);
    check(&[url, "--testsrc", "--loop"], &["--loop", "cannot be used with"]);
    check(&[url, "a.mp4", "--size", "640x360"], &["--size", "cannot be used with"]);
    check(&[url, "--testsrc", "--size", "641x360"], &["--size", "641", "even number from 128 to 3840"]);
    check(&[url, "--testsrc", "--fps", "200"], &["--fps", "200", "5..=60"]);
    check(&[url, "--testsrc", "--bitrate", "5"], &["--bitrate", "5", "100..=20000"]);
    check(&[url, "/does/not/exist.mp4"], &["/does/not/exist.mp4", "No such file", "FFmpeg can read"]);
    let folder = tempfile::tempdir().unwrap();
    let text = config(folder.path(), "not a video");
    check(&[url, &text], &[&text, "Invalid data", "FFmpeg can read"]);
    check(&["rtmp://example.org/live", "--testsrc"], &["rtmp://example.org/live", "/whip/ROOM"]);
    check(&[url, "--testsrc", "--ca", "/does/not/exist.pem"], &["--ca /does/not/exist.pem", "PEM"]);
    check(&[url, "--testsrc"], &[url, "refused", "check the URL, and that the server runs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_says_whose_fault_a_refusal_is() {
    let config = SMALL.replace("https: {listen: \"\"}", "https: {listen: \"127.0.0.1:0\"}");
    let server = Server::start(&["serve"], &config).await;
    server.go_live("room").await;
    let token = server.auth("room", "someone").await;
    let url = |listener: &str, path: &str| format!("{}{path}", server.url(listener));
    let check = |url: String, token: &str, says: &[&str]| {
        let said = publish_fails(&[&url, "--testsrc"], token);
        assert!(said.contains(&url) && says.iter().all(|word| said.contains(word)), "{said}");
    };
    check(url("http", "/whip/room"), "no-token", &["401", "footlight token auth"]);
    check(url("http", "/whip/other"), &token, &["403", "must name this room", "the token is of another room"]);
    let viewer = server.token(&["auth", "--room", "room", "--role", "viewer-realtime", "--user", "someone"]).await;
    check(url("http", "/whip/room"), &viewer, &["403", "role viewer-realtime may not publish"]);
    check(url("http", "/elsewhere"), &token, &["404", "/whip/ROOM"]);
    check(url("https", "/whip/room"), &token, &["certificate", "--ca FILE"]);
    check(url("http", "/whip/room").replace("http:", "https:"), &token, &["does not speak HTTPS", "try http://"]);
    check(url("https", "/whip/room").replace("https:", "http:"), &token, &["does not speak HTTP:", "try https://"]);
    let elsewhere = server.url("http").strip_prefix("http://").unwrap();
    let said = fails(&["trace", "room", "--admin", elsewhere]);
    assert!(said.contains(elsewhere) && said.contains("404") && said.contains("--admin"), "{said}");
    server.end().await;
}

#[test]
fn an_exported_publishing_token_is_no_unknown_setting() {
    let check = |variable: &str| {
        let output = Command::new(FOOTLIGHT).args(["config", "check"]).env(variable, "x").output().unwrap();
        output.status.success()
    };
    assert!(check("FOOTLIGHT_TOKEN"));
    assert!(!check("FOOTLIGHT_TOKENS"));
}
