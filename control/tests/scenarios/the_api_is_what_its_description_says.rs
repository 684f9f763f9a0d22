//! `/openapi.json` is the checked-in `tests/openapi.json`, and each of its operations is a route.

use crate::harness::Harness;
use http::Method;
use serde_json::Value;
use std::path::Path;

#[tokio::test]
async fn the_description_is_the_checked_in_one() {
    let h = Harness::new().await;
    let document = h.send(Method::GET, "/openapi.json", None, String::new()).await.body;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
    // Compared as values: the order of keys depends on a feature of serde_json that other crates may turn on.
    let checked_in = std::fs::read(&golden).unwrap_or_default();
    if serde_json::from_slice::<Value>(&checked_in).ok() != Some(document.clone()) {
        std::fs::write(&fresh, format!("{}\n", serde_json::to_string_pretty(&document).unwrap())).unwrap();
        panic!("the API's description has changed; if it should have, cp {} {}", fresh.display(), golden.display());
    }
}

#[tokio::test]
async fn every_operation_is_a_route_and_all_but_one_ask_for_a_token() {
    let h = Harness::new().await;
    let document = h.send(Method::GET, "/openapi.json", None, String::new()).await.body;
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = h.send(method.clone(), &path.replace(['{', '}'], ""), None, String::new()).await;
            let want = if path == "/v2/token" { 400 } else { 401 };
            assert_eq!(answer.status, want, "{method} {path}");
            operations += 1;
        }
    }
    assert_eq!(operations, 31);
}
