//! The live window: which objects stand, what is promised, who waits for what. Pure: it takes `now` and decides; the
//! service holds it and wakes whom it names.
//!
//! Invariants (held by the property test below): every waiter is released once or abandoned; none waits for what
//! stands; the bytes counted are those held; nothing is answered that is older than what was asked for.

use crate::directives::Directives;
use crate::live::{Ask, Limits, Standing};
use crate::object::Object;
use crate::path::ObjectPath;
use crate::refusal::Refusal;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Counted for each object beside its bytes: headers, path and the maps' entries, so that a million empty objects are
/// not free.
pub const OBJECT_OVERHEAD_BYTES: u64 = 1024;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// An edge, or a viewer: private objects are not there.
    Viewers,
    /// The publish listener.
    Publisher,
}

/// Names a request that waits. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterId(u64);

/// An object that answers, and how.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What to send.
    pub object: Arc<Object>,
    /// Whether it is exactly the version asked for.
    pub exact: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Decision {
    /// It is answered now.
    Answer(Answer),
    /// It waits: until a PUT or DELETE releases it, or until the deadline, when [`Window::expire`] is to be called.
    Wait(WaiterId, Instant),
    /// It is refused now.
    Refuse(Refusal),
}

/// What a waiting request gets.
pub type Outcome = Result<Answer, Refusal>;
/// The requests that a change has released, in the order in which they came.
pub type Released = Vec<(WaiterId, Outcome)>;

/// What a PUT has done.
#[derive(Debug)]
pub struct Put {
    /// Whether an object stood there.
    pub replaced: bool,
    /// Who is to be answered now.
    pub released: Released,
}

/// The window itself.
#[derive(Debug)]
pub struct Window {
    limits: Limits,
    objects: HashMap<ObjectPath, Arc<Object>>,
    streams: HashMap<Box<str>, Stream>,
    /// How many playlists promise a path, and for how long it may be waited for.
    promises: HashMap<ObjectPath, Promise>,
    waiters: HashMap<ObjectPath, Vec<Waiter>>,
    waiter_paths: HashMap<WaiterId, ObjectPath>,
    next_waiter: u64,
    bytes: u64,
}

/// What is counted of a stream, while it has objects.
#[derive(Debug, Default)]
struct Stream {
    bytes: u64,
    objects: usize,
    playlists: usize,
    ended: usize,
    target_duration: Duration,
    /// The paths last deleted, as many as there may be objects, oldest first, and whether each was private.
    deleted: VecDeque<ObjectPath>,
    deleted_private: HashMap<ObjectPath, bool>,
}

#[derive(Debug)]
struct Promise {
    playlists: usize,
    longest_wait: Duration,
}

#[derive(Debug)]
struct Waiter {
    id: WaiterId,
    /// `None` waits for the object itself.
    ask: Option<Ask>,
    audience: Audience,
    waits: Duration,
}

impl Window {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            objects: HashMap::new(),
            streams: HashMap::new(),
            promises: HashMap::new(),
            waiters: HashMap::new(),
            waiter_paths: HashMap::new(),
            next_waiter: 0,
            bytes: 0,
        }
    }

    /// Decides on a GET. Directives count only where the object is a live playlist; `directives` is called only there.
    pub fn get(
        &mut self,
        path: &ObjectPath,
        directives: impl FnOnce() -> Result<Directives, Refusal>,
        audience: Audience,
        now: Instant,
    ) -> Decision {
        let Some(object) = self.objects.get(path).filter(|object| visible(object, audience)) else {
            return self.get_missing(path, audience, now);
        };
        let newest = Answer { object: object.clone(), exact: false };
        let Some(live) = object.live.as_ref().filter(|live| !live.ended) else { return Decision::Answer(newest) };
        let ask = match directives() {
            Ok(Directives { ask: None, .. }) => return Decision::Answer(newest),
            Ok(Directives { ask: Some(ask), .. }) => ask,
            Err(refusal) => return Decision::Refuse(refusal),
        };
        match live.standing(ask) {
            Standing::Holds { exact } => Decision::Answer(Answer { exact, ..newest }),
            Standing::TooFar => Decision::Refuse(Refusal::TooFarAhead { at: live.version }),
            Standing::Ahead => {
                let waits = live.longest_wait();
                self.wait(path, Some(ask), audience, waits, now)
            }
        }
    }

    fn get_missing(&mut self, path: &ObjectPath, audience: Audience, now: Instant) -> Decision {
        let stands = self.objects.contains_key(path);
        match self.promises.get(path).filter(|_| !stands) {
            Some(promise) => {
                let waits = promise.longest_wait;
                self.wait(path, None, audience, waits, now)
            }
            None => Decision::Refuse(self.absence(path, audience)),
        }
    }

    /// 410 where it was deleted, 404 otherwise; kept for a target duration once the stream has ended.
    fn absence(&self, path: &ObjectPath, audience: Audience) -> Refusal {
        let Some(stream) = self.streams.get(path.stream()) else { return Refusal::Missing { keep: None } };
        let keep = stream.has_ended().then_some(stream.target_duration);
        match stream.deleted_private.get(path) {
            Some(private) if !private || audience == Audience::Publisher => Refusal::Gone { keep },
            _ => Refusal::Missing { keep },
        }
    }

    fn wait(
        &mut self,
        path: &ObjectPath,
        ask: Option<Ask>,
        audience: Audience,
        waits: Duration,
        now: Instant,
    ) -> Decision {
        if self.waiter_paths.len() >= self.limits.waiters {
            return Decision::Refuse(Refusal::TooManyWaiters { limit: self.limits.waiters });
        }
        let id = WaiterId(self.next_waiter);
        self.next_waiter += 1;
        self.waiters.entry(path.clone()).or_default().push(Waiter { id, ask, audience, waits });
        self.waiter_paths.insert(id, path.clone());
        Decision::Wait(id, now + waits)
    }

    /// Stores an object whole, or refuses it and changes nothing.
    pub fn put(&mut self, path: &ObjectPath, object: Object) -> Result<Put, Refusal> {
        let old = self.objects.get(path).cloned();
        if let Some(old) = &old {
            check_timeline(old, &object)?;
        }
        self.check_room(path, old.as_deref(), &object)?;
        let object = Arc::new(object);
        let stream = self.streams.entry(path.stream().into()).or_default();
        if let Some(old) = &old {
            self.bytes -= stream.uncount(old);
        }
        self.bytes += stream.count(&object);
        stream.forget_deleted(path);
        self.objects.insert(path.clone(), object.clone());
        let withdrawn = self.promise(old.as_deref(), Some(&object));
        let mut released = self.release_on(path);
        for path in withdrawn {
            released.extend(self.release_on(&path));
        }
        Ok(Put { replaced: old.is_some(), released })
    }

    /// Removes an object, with what it promised.
    pub fn delete(&mut self, path: &ObjectPath) -> Result<Released, Refusal> {
        let Some(old) = self.objects.remove(path) else { return Err(self.absence(path, Audience::Publisher)) };
        let stream = self.streams.get_mut(path.stream()).expect("a stream stands while it has an object");
        self.bytes -= stream.uncount(&old);
        if stream.objects == 0 {
            self.streams.remove(path.stream());
        } else {
            stream.remember_deleted(path, old.private, self.limits.stream_objects);
        }
        let withdrawn = self.promise(Some(&old), None);
        let mut released = self.release_on(path);
        for path in withdrawn {
            released.extend(self.release_on(&path));
        }
        Ok(released)
    }

    /// The deadline of a waiter has come. `None` when it has been released already: its outcome is on its way.
    pub fn expire(&mut self, id: WaiterId) -> Option<Refusal> {
        self.remove_waiter(id).map(|waiter| Refusal::WaitedTooLong { waited: waiter.waits })
    }

    /// Who waited is no longer there.
    pub fn abandon(&mut self, id: WaiterId) {
        self.remove_waiter(id);
    }

    /// Bytes held, with what is counted beside them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Objects held.
    pub fn object_count(&self) -> usize {
        self.objects.len()
    }

    /// Requests that wait.
    pub fn waiter_count(&self) -> usize {
        self.waiter_paths.len()
    }

    fn remove_waiter(&mut self, id: WaiterId) -> Option<Waiter> {
        let path = self.waiter_paths.remove(&id)?;
        let waiting = self.waiters.get_mut(&path).expect("a waiter stands under its path");
        let at = waiting.iter().position(|waiter| waiter.id == id).expect("a waiter stands under its path");
        let waiter = waiting.remove(at);
        if waiting.is_empty() {
            self.waiters.remove(&path);
        }
        Some(waiter)
    }

    fn check_room(&self, path: &ObjectPath, old: Option<&Object>, new: &Object) -> Result<(), Refusal> {
        let (was, will) = (old.map_or(0, cost), cost(new));
        let stream = self.streams.get(path.stream());
        let full = |what, would, limit| Err(Refusal::Full { what, would, limit });
        let would = stream.map_or(0, |s| s.bytes) - was + will;
        if would > self.limits.stream_bytes {
            return full("bytes in the stream", would, self.limits.stream_bytes);
        }
        let objects = stream.map_or(0, |s| s.objects) + usize::from(old.is_none());
        if objects > self.limits.stream_objects {
            return full("objects in the stream", objects as u64, self.limits.stream_objects as u64);
        }
        let would = self.bytes - was + will;
        if would > self.limits.origin_bytes {
            return full("bytes in the origin", would, self.limits.origin_bytes);
        }
        Ok(())
    }

    /// Replaces what a playlist promised by what it promises now; answers the paths that nobody promises any more.
    fn promise(&mut self, old: Option<&Object>, new: Option<&Object>) -> Vec<ObjectPath> {
        let live = |object: Option<&Object>| object.and_then(|object| object.live.clone());
        let (old, new) = (live(old), live(new));
        for path in new.iter().flat_map(|live| &live.promises) {
            let longest_wait = new.as_ref().expect("its promises are being read").longest_wait();
            let promise = self.promises.entry(path.clone()).or_insert(Promise { playlists: 0, longest_wait });
            promise.playlists += 1;
        }
        let mut withdrawn = Vec::new();
        for path in old.into_iter().flat_map(|live| live.promises) {
            let promise = self.promises.get_mut(&path).expect("a promise stands while a playlist makes it");
            promise.playlists -= 1;
            if promise.playlists == 0 {
                self.promises.remove(&path);
                withdrawn.push(path);
            }
        }
        withdrawn
    }

    /// Answers who need wait no longer for a path that has changed.
    fn release_on(&mut self, path: &ObjectPath) -> Released {
        let Some(waiting) = self.waiters.remove(path) else { return Vec::new() };
        let object = self.objects.get(path);
        let mut released = Vec::new();
        let mut still = Vec::new();
        for waiter in waiting {
            match self.outcome(path, object, &waiter) {
                Some(outcome) => released.push((waiter.id, outcome)),
                None => still.push(waiter),
            }
        }
        for (id, _) in &released {
            self.waiter_paths.remove(id);
        }
        if !still.is_empty() {
            self.waiters.insert(path.clone(), still);
        }
        released
    }

    fn outcome(&self, path: &ObjectPath, object: Option<&Arc<Object>>, waiter: &Waiter) -> Option<Outcome> {
        let Some(object) = object else {
            let promised = waiter.ask.is_none() && self.promises.contains_key(path);
            return (!promised).then(|| Err(self.absence(path, waiter.audience)));
        };
        if !visible(object, waiter.audience) {
            return Some(Err(self.absence(path, waiter.audience)));
        }
        let standing = match (waiter.ask, &object.live) {
            (Some(ask), Some(live)) => live.standing(ask),
            _ => Standing::Holds { exact: false },
        };
        match standing {
            Standing::Holds { exact } => Some(Ok(Answer { object: object.clone(), exact })),
            Standing::Ahead | Standing::TooFar => None,
        }
    }
}

impl Stream {
    /// Takes an object into the figures; answers what it adds to the origin's.
    fn count(&mut self, object: &Object) -> u64 {
        self.objects += 1;
        self.bytes += cost(object);
        if let Some(live) = &object.live {
            self.playlists += 1;
            self.ended += usize::from(live.ended);
            self.target_duration = live.target_duration;
        }
        cost(object)
    }

    fn uncount(&mut self, object: &Object) -> u64 {
        self.objects -= 1;
        self.bytes -= cost(object);
        if let Some(live) = &object.live {
            self.playlists -= 1;
            self.ended -= usize::from(live.ended);
        }
        cost(object)
    }

    fn has_ended(&self) -> bool {
        self.playlists > 0 && self.ended == self.playlists
    }

    fn remember_deleted(&mut self, path: &ObjectPath, private: bool, most: usize) {
        if self.deleted.len() >= most
            && let Some(oldest) = self.deleted.pop_front()
        {
            self.deleted_private.remove(&oldest);
        }
        self.deleted.push_back(path.clone());
        self.deleted_private.insert(path.clone(), private);
    }

    fn forget_deleted(&mut self, path: &ObjectPath) {
        if self.deleted_private.remove(path).is_some() {
            self.deleted.retain(|deleted| deleted != path);
        }
    }
}

fn visible(object: &Object, audience: Audience) -> bool {
    !object.private || audience == Audience::Publisher
}

fn cost(object: &Object) -> u64 {
    object.bodies.byte_count() + OBJECT_OVERHEAD_BYTES
}

/// A timeline never goes back, and what is constant for a stream stays so: players give up for good on either.
fn check_timeline(old: &Object, new: &Object) -> Result<(), Refusal> {
    let (Some(old), Some(new)) = (&old.live, &new.live) else { return Ok(()) };
    if new.version < old.version || (old.ended && !new.ended) {
        return Err(Refusal::WentBack { at: old.version, put: new.version });
    }
    let constant = |name, at: Duration, put: Duration| {
        let text = |duration: Duration| format!("{} s", duration.as_secs_f64());
        if at == put { Ok(()) } else { Err(Refusal::Constant { name, at: text(at), put: text(put) }) }
    };
    constant("Footlight-Target-Duration", old.target_duration, new.target_duration)?;
    let part_target = |live: &crate::live::Live| live.part_target.unwrap_or_default();
    constant("Footlight-Part-Target", part_target(old), part_target(new))
}
