//! What an operator gets wrong is answered with the thing, the value and the cure, and a failing exit status.

use crate::harness::server::{FOOTLIGHT, SMALL};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

fn fails(args: &[&str]) -> String {
    let output = Command::new(FOOTLIGHT).args(args).output().unwrap();
    assert!(!output.status.success(), "footlight {args:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

fn config(folder: &Path, text: &str) -> String {
    let file = folder.join("my.yaml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn a_taken_port_is_named_with_its_key_and_flag() {
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
        let said = fails(&["serve", "--config", &file, "--data-dir", &data, flag, &address]);
        assert!(said.contains(&address) && said.contains(key), "{said}");
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
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let said = fails(&["trace", "room", "--admin", &nobody]);
    assert!(said.contains(&nobody) && said.contains("--admin"), "{said}");
}

#[test]
fn the_demo_stays_on_loopback() {
    let said = fails(&["demo", "--http", "0.0.0.0:0"]);
    assert!(said.contains("http.listen") && said.contains("--public"), "{said}");
}

#[test]
fn wrong_flags_are_answered_with_the_usage() {
    for args in
        [&["serve", "--htp", "x"][..], &["serve", "--http", "nowhere"], &["fly"], &["token", "auth", "--room", "r"]]
    {
        let said = fails(args);
        assert!(said.contains("--help"), "{said}");
    }
}
