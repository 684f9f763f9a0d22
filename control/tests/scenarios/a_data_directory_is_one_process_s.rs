//! What cannot be opened is said with its path, and two processes never share a catalog.

use crate::harness::Harness;
use footlight_control::credentials::Credentials;
use footlight_control::{CheckLadder, Config, Control};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

async fn open(data_dir: &Path, origins: &[&str]) -> Result<(), String> {
    let config = Config {
        data_dir: data_dir.to_owned(),
        public_url: String::new(),
        cors_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        check_ladder: CheckLadder::new(|_| Ok(())),
        open_to_this_machine: false,
    };
    let credentials = Credentials::new("key", &"s".repeat(64));
    let (_events, happenings) = mpsc::channel(1);
    let opened = Control::open(config, credentials, happenings, CancellationToken::new()).await;
    opened.map(|_| ()).map_err(|e| e.to_string())
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let h = Harness::new().await;
    let error = open(h.dir.path(), &[]).await.unwrap_err();
    assert!(error.contains("catalog.lock: another footlight has this data directory open"), "{error}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named() {
    // Root may write anywhere but there.
    let error = open(Path::new("/proc/footlight"), &[]).await.unwrap_err();
    assert!(error.starts_with("/proc/footlight: ") && error.contains("--data-dir"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = open(&dir.path().join("file/data"), &[]).await.unwrap_err();
    assert!(error.contains("file/data: "), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_catalog_is_named_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("catalog.db");
    let content = "this is somebody's diary, and no database\n".repeat(100);
    fs::write(&path, &content).unwrap();
    let error = open(dir.path(), &[]).await.unwrap_err();
    assert!(error.contains("catalog.db: cannot be opened as a catalog"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), content);
}

#[tokio::test]
async fn an_origin_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = open(dir.path(), &["https://app.example/page"]).await.unwrap_err();
    assert!(error.contains("cors.origins: \"https://app.example/page\""), "{error}");
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart_and_nobody_else_may_read_it() {
    let h = Harness::new().await;
    let room = h.made("/v2/rooms", json!({"name": "show", "webhook": {"url": "https://a.example/h"}})).await;
    let codes = h.control.ensure_room(room["id"].as_str().unwrap()).await.unwrap();
    for file in ["catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.lock", "credentials.json"] {
        let mode = fs::metadata(h.dir.path().join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
    let h = h.restart(Vec::new()).await;
    let path = format!("/v2/rooms/{}", room["id"].as_str().unwrap());
    assert_eq!(h.get(&path).await.body, room);
    assert_eq!(h.control.ensure_room(room["id"].as_str().unwrap()).await.unwrap(), codes);
}
