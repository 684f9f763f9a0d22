//! A packager says nothing of what the origin does not have yet, and gives up where it falls too far behind.

use crate::harness::packaging::{Packaging, small_ladder};
use footlight_packager::driver::{BATCHES, DriverError, FromPackager, ToPackager};
use footlight_packager::objects::{Change, Put};

/// Playlists that have ended.
fn ended(changes: &[Change]) -> usize {
    let ends = |change: &&Change| matches!(change, Change::Put(Put { playlist: Some(live), .. }) if live.ended);
    changes.iter().filter(ends).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_said_once_the_origin_has_it() {
    let ladder = small_ladder();
    let renditions = ladder.rungs.len() + ladder.audio.len();
    let mut packaging = Packaging::start(ladder);
    packaging.until_running().await;
    packaging.takes.send_replace(false);
    packaging.to.send(ToPackager::Stop).await.unwrap();
    let mut playlists = 0;
    while playlists < renditions {
        match packaging.from.recv().await.expect("it waits") {
            FromPackager::Publish(changes) => playlists += ended(&changes),
            FromPackager::Ended { .. } => panic!("its end is not even on its way"),
            _ => {}
        }
    }
    // A packager that did not wait would have said it by its next report.
    loop {
        match packaging.from.recv().await.expect("it waits") {
            FromPackager::Report(_) => break,
            FromPackager::Ended { .. } => panic!("the origin has not got the end"),
            _ => {}
        }
    }
    packaging.takes.send_replace(true);
    while !matches!(packaging.from.recv().await.expect("it ends"), FromPackager::Ended { .. }) {}
    let playlist = packaging.playlist("180p", 0).await;
    assert!(playlist.ends_with("#EXT-X-ENDLIST\n"), "{playlist}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packager_that_falls_too_far_behind_gives_up() {
    let mut packaging = Packaging::start(small_ladder());
    packaging.until_running().await;
    packaging.takes.send_replace(false);
    let mut waiting = 0;
    while let Some(message) = packaging.from.recv().await {
        waiting += usize::from(matches!(message, FromPackager::Publish(_)));
    }
    let result = packaging.running.await.unwrap();
    assert!(matches!(result, Err(DriverError::Behind)), "{result:?}");
    // One may have been on its way when the origin ceased to take them.
    assert!((BATCHES..=BATCHES + 1).contains(&waiting), "{waiting} batches wait");
}
