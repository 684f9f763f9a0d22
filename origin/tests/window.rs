//! Whatever happens in whatever order, the window keeps its invariants.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test needs one instant to count from")]

use bytes::Bytes;
use footlight_origin::Limits;
use footlight_origin::directives::Directives;
use footlight_origin::live::{Ask, Standing};
use footlight_origin::object::Object;
use footlight_origin::path::ObjectPath;
use footlight_origin::window::{Audience, Decision, OBJECT_OVERHEAD_BYTES, Released, WaiterId, Window};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Instant;

const PATHS: [&str; 5] = ["/h/r/s/a", "/h/r/s/b", "/h/r/s/c", "/h/r/t/a", "/live/r/m"];
const WAITERS: usize = 8;

#[derive(Debug, Clone)]
enum Step {
    Put { path: usize, bytes: usize, version: Option<(u64, u64)>, promises: Vec<usize>, ended: bool, private: bool },
    Delete { path: usize },
    Get { path: usize, ask: Option<Ask> },
    Expire { nth: usize },
    Abandon { nth: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = 0..PATHS.len();
    let ask = prop_oneof![
        (0..6_u64).prop_map(|msn| Ask::Segment { msn }),
        (0..6_u64, 0..5_u64).prop_map(|(msn, part)| Ask::Part { msn, part }),
    ];
    let step = prop_oneof![
        4 => (
            path.clone(),
            0..3000_usize,
            proptest::option::of((0..4_u64, 0..3_u64)),
            proptest::collection::vec(path.clone(), 0..3),
            proptest::bool::weighted(0.1),
            proptest::bool::weighted(0.1)
        )
            .prop_map(|(path, bytes, version, promises, ended, private)| {
                Step::Put { path, bytes, version, promises, ended, private }
            }),
        1 => path.clone().prop_map(|path| Step::Delete { path }),
        5 => (path, proptest::option::of(ask)).prop_map(|(path, ask)| Step::Get { path, ask }),
        1 => (0..WAITERS).prop_map(|nth| Step::Expire { nth }),
        1 => (0..WAITERS).prop_map(|nth| Step::Abandon { nth }),
    ];
    proptest::collection::vec(step, 0..80)
}

fn path(index: usize) -> ObjectPath {
    ObjectPath::parse(PATHS[index]).unwrap()
}

fn object(bytes: usize, version: Option<(u64, u64)>, promises: &[usize], ended: bool, private: bool) -> Object {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    headers.insert("cache-control", HeaderValue::from_static("max-age=1"));
    if private {
        headers.insert("footlight-visibility", HeaderValue::from_static("private"));
    }
    if let Some((msn, parts)) = version {
        let mut set = |name: &'static str, value: String| headers.insert(name, value.parse().unwrap());
        set("footlight-version", format!("{msn}.{parts}"));
        set("footlight-target-duration", "2".into());
        // Every whole segment has three parts.
        let whole: Vec<_> = (msn.saturating_sub(2)..msn).map(|before| format!("{before}:3")).collect();
        if !whole.is_empty() {
            set("footlight-part-counts", whole.join(","));
        }
        set("footlight-promises", promises.iter().map(|p| PATHS[*p]).collect::<Vec<_>>().join(","));
        if ended {
            set("footlight-ended", "1".into());
        }
    }
    Object::parse(&headers, Bytes::from(vec![0; bytes])).unwrap()
}

/// The window beside what a plain reading of the rules says of it.
struct Model {
    window: Window,
    limits: Limits,
    objects: HashMap<usize, Object>,
    waiting: Vec<(WaiterId, usize, Option<Ask>)>,
}

impl Model {
    fn released(&mut self, released: Released) {
        for (id, outcome) in released {
            let at = self.waiting.iter().position(|(waiting, ..)| *waiting == id).expect("it waited, and once");
            let (_, path, ask) = self.waiting.remove(at);
            match outcome {
                Ok(answer) => {
                    assert!(!answer.object.private, "nothing private is shown");
                    if let (Some(ask), Some(live)) = (ask, &answer.object.live) {
                        assert!(matches!(live.standing(ask), Standing::Holds { .. }), "older than asked");
                    }
                }
                Err(refusal) => {
                    assert!([404, 410].contains(&refusal.status().as_u16()), "{refusal}");
                    let shown = self.objects.get(&path).is_some_and(|object| !object.private);
                    assert!(!shown, "refused what stands");
                }
            }
        }
    }

    fn step(&mut self, step: Step, now: Instant) {
        match step {
            Step::Put { path: at, bytes, version, promises, ended, private } => {
                let new = || object(bytes, version, &promises, ended, private);
                let before = (self.window.bytes(), self.window.object_count(), self.window.waiter_count());
                match self.window.put(&path(at), new()) {
                    Ok(put) => {
                        assert_eq!(put.replaced, self.objects.insert(at, new()).is_some());
                        self.released(put.released);
                    }
                    Err(_) => {
                        let after = (self.window.bytes(), self.window.object_count(), self.window.waiter_count());
                        assert_eq!(before, after, "a refused PUT changes nothing");
                    }
                }
            }
            Step::Delete { path: at } => {
                let deleted = self.window.delete(&path(at));
                assert_eq!(deleted.is_ok(), self.objects.remove(&at).is_some());
                if let Ok(released) = deleted {
                    self.released(released);
                }
            }
            Step::Get { path: at, ask } => {
                let directives = || Ok(Directives { ask, ..Directives::default() });
                match self.window.get(&path(at), directives, Audience::Viewers, now) {
                    Decision::Answer(answer) => assert!(!answer.object.private && self.objects.contains_key(&at)),
                    Decision::Wait(id, deadline) => {
                        assert_eq!((deadline - now).as_secs(), 6);
                        // On a path that is only promised, directives do not count.
                        let ask = ask.filter(|_| self.objects.contains_key(&at));
                        self.waiting.push((id, at, ask));
                    }
                    Decision::Refuse(refusal) => {
                        let open = self.objects.get(&at).filter(|object| !object.private);
                        assert!(open.is_none() || [400, 503].contains(&refusal.status().as_u16()), "{refusal}");
                    }
                }
            }
            Step::Expire { nth } if nth < self.waiting.len() => {
                let (id, ..) = self.waiting.remove(nth);
                assert_eq!(self.window.expire(id).expect("it waits").status(), 503);
                assert!(self.window.expire(id).is_none(), "once");
            }
            Step::Abandon { nth } if nth < self.waiting.len() => {
                let (id, ..) = self.waiting.remove(nth);
                self.window.abandon(id);
                self.window.abandon(id);
            }
            Step::Expire { .. } | Step::Abandon { .. } => {}
        }
        self.hold();
    }

    /// The invariants.
    fn hold(&self) {
        let bytes: u64 = self.objects.values().map(|o| o.bodies.byte_count() + OBJECT_OVERHEAD_BYTES).sum();
        assert_eq!((self.window.bytes(), self.window.object_count()), (bytes, self.objects.len()));
        assert!(bytes <= self.limits.origin_bytes);
        assert_eq!(self.window.waiter_count(), self.waiting.len());
        assert!(self.waiting.len() <= self.limits.waiters);
        for (_, at, ask) in &self.waiting {
            match (self.objects.get(at), ask) {
                (Some(object), Some(ask)) => {
                    let live = object.live.as_ref().expect("only a live playlist is waited for by version");
                    assert!(!matches!(live.standing(*ask), Standing::Holds { .. }), "it waits for what stands");
                }
                (Some(_), None) => panic!("it waits for an object that stands"),
                (None, _) => {
                    let promised = self.objects.values().filter_map(|object| object.live.as_ref());
                    let promised = promised.flat_map(|live| &live.promises).any(|promise| *promise == path(*at));
                    assert!(promised && ask.is_none(), "it waits for what nobody promises");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_window_keeps_its_invariants(steps in steps()) {
        let limits = Limits { stream_bytes: 9000, origin_bytes: 12_000, stream_objects: 2, waiters: WAITERS, ..Limits::default() };
        let mut model =
            Model { window: Window::new(limits.clone()), limits, objects: HashMap::new(), waiting: Vec::new() };
        let now = Instant::now();
        for step in steps {
            model.step(step, now);
        }
    }
}
