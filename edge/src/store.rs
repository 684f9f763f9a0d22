//! What is kept, by key, within a bound of bytes.

use crate::answer::Head;
use crate::key::{Key, KeyRef, Target, Variant};
use bytes::Bytes;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use std::sync::Arc;

/// Counted for each response beside its body and key: its headers and the store's own entry.
const OVERHEAD_BYTES: u64 = 1024;
/// An average object, to size the tables: they grow beyond it.
const TYPICAL_OBJECT_BYTES: u64 = 128 << 10;
/// A shard holds at least so many objects of the largest size. Each refuses what is heavier than itself, so that with
/// many shards a large object would never be kept, and with few of them a look-up waits for another's.
const LARGEST_PER_SHARD: u64 = 4;
/// Shards at most: look-ups hold a shard's lock for well under a microsecond.
const MAX_SHARDS: u64 = 64;

/// A response that is kept.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Status, headers, freshness.
    pub head: Arc<Head>,
    /// The body, shared by all who send it.
    pub body: Bytes,
}

/// The store. Cheap to clone; clones are one store.
#[derive(Clone)]
pub struct Store {
    cache: Arc<Cache<Key, Entry, Weigh>>,
}

#[derive(Clone)]
enum Entry {
    Stored(Stored),
    /// Under [`Variant::Any`]: the target has variants, which are kept under theirs.
    Varies,
}

/// What is known of a target.
#[derive(Debug)]
pub enum Found {
    /// The response for this client.
    Stored(Stored),
    /// None for this client, but it has variants.
    NoVariant,
    /// Nothing.
    Nothing,
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Key, Entry> for Weigh {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        let body = match entry {
            Entry::Stored(stored) => stored.body.len() as u64,
            Entry::Varies => 0,
        };
        body + key.target.len() as u64 + OVERHEAD_BYTES
    }
}

impl Store {
    /// A store of at most `bytes`, of objects of at most `largest` bytes.
    pub fn new(bytes: u64, largest: u64) -> Self {
        let shards = (bytes / (largest * LARGEST_PER_SHARD).max(1)).clamp(1, MAX_SHARDS);
        // The cache rounds up to a power of two, which would halve a shard below what is promised here.
        let shards = if shards.is_power_of_two() { shards } else { shards.next_power_of_two() / 2 };
        let items = (bytes / TYPICAL_OBJECT_BYTES).max(shards * 32);
        let options = OptionsBuilder::new()
            .shards(usize::try_from(shards).expect("at most 64"))
            .estimated_items_capacity(usize::try_from(items).unwrap_or(usize::MAX))
            .weight_capacity(bytes)
            .build()
            .expect("both capacities are given");
        let cache = Cache::with_options(options, Weigh, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { cache: Arc::new(cache) }
    }

    /// Looks a response up for a client that takes gzip, or does not.
    pub fn find(&self, target: &str, gzip: bool) -> Found {
        match self.cache.get(&KeyRef { target, variant: Variant::Any }) {
            Some(Entry::Stored(stored)) => Found::Stored(stored),
            Some(Entry::Varies) => match self.cache.get(&KeyRef { target, variant: Variant::of(gzip) }) {
                Some(Entry::Stored(stored)) => Found::Stored(stored),
                _ => Found::NoVariant,
            },
            None => Found::Nothing,
        }
    }

    /// Keeps a response, in place of what was there for the same clients.
    pub fn keep(&self, target: &Target, gzip: bool, stored: Stored) {
        let key = |variant| Key { target: target.clone(), variant };
        if stored.head.varies {
            self.cache.insert(key(Variant::of(gzip)), Entry::Stored(stored));
            self.cache.insert(key(Variant::Any), Entry::Varies);
        } else {
            self.cache.insert(key(Variant::Any), Entry::Stored(stored));
        }
    }

    /// Bytes kept, with what is counted beside them.
    pub fn bytes(&self) -> u64 {
        self.cache.weight()
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
