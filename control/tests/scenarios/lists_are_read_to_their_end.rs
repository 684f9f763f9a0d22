//! Paging as the stock SDK does it: from `last` to `start`, until a page is shorter than its limit or `last` is empty.

use crate::harness::Harness;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every item of a list, read as the SDK's iterator does.
async fn all(h: &Harness, path: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut start) = (Vec::new(), String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = h.get(&format!("{path}{separator}limit={limit}&start={start}")).await.body;
        assert_eq!(page["limit"], limit, "{page}");
        let data = page["data"].as_array().unwrap();
        items.extend(data.iter().cloned());
        start = page["last"].as_str().unwrap().to_owned();
        if data.len() < limit || start.is_empty() {
            return items;
        }
    }
}

#[tokio::test]
async fn rooms_newest_first_each_once_and_filtered() {
    let h = Harness::new().await;
    for n in 0..7 {
        h.made("/v2/rooms", json!({"name": format!("room-{n}"), "enabled": n != 3})).await;
    }
    for limit in [1, 2, 3, 6, 100] {
        let names: Vec<_> = all(&h, "/v2/rooms", limit).await.iter().map(|room| room["name"].clone()).collect();
        assert_eq!(names, ["room-6", "room-5", "room-4", "room-2", "room-1", "room-0"], "limit {limit}");
    }
    let disabled = all(&h, "/v2/rooms?enabled=false", 5).await;
    assert_eq!((disabled.len(), &disabled[0]["name"]), (1, &json!("room-3")));
    assert_eq!(all(&h, "/v2/rooms?name=ROOM-2", 5).await.len(), 1);
    assert_eq!(all(&h, "/v2/rooms?name=room", 5).await.len(), 0);
    assert_eq!(all(&h, "/v2/rooms?template_id=other", 5).await.len(), 0);
    let defaults = h.get("/v2/rooms").await.body;
    assert_eq!((&defaults["limit"], defaults["data"].as_array().unwrap().len()), (&json!(10), 6));
}

#[tokio::test]
async fn codes_and_live_streams() {
    let h = Harness::new().await;
    let mut streams = BTreeSet::new();
    for room in ["a", "b"] {
        h.control.ensure_room(room).await.unwrap();
        for _ in 0..2 {
            streams.insert(h.control.start_stream(room).await.unwrap().id);
            h.control.stop_room_streams(room).await.unwrap();
        }
    }
    let ids =
        |items: &[Value]| items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(ids(&all(&h, "/v2/live-streams", 3).await), streams);
    assert_eq!(all(&h, "/v2/live-streams?room_id=a", 1).await.len(), 2);
    assert_eq!(all(&h, "/v2/live-streams?status=stopping", 4).await.len(), 4);
    assert_eq!(all(&h, "/v2/live-streams?status=running", 4).await.len(), 0);
    assert_eq!(all(&h, "/v2/live-streams?session_id=none", 4).await.len(), 0);

    assert_eq!(all(&h, "/v2/room-codes/room/a", 2).await.len(), 5);
    assert_eq!(all(&h, "/v2/room-codes/room/a?role=broadcaster", 2).await.len(), 1);
    assert_eq!(all(&h, "/v2/room-codes/room/a?enabled=false", 2).await.len(), 0);
    assert_eq!(h.get("/v2/room-codes/room/a").await.body["limit"], 20);
    assert_eq!(all(&h, "/v2/templates", 1).await.len(), 1);
}
