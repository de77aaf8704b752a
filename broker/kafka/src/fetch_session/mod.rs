//! Fetch sessions (KIP-227): a client names its partitions once, later only what changed.
//!
//! **Invariant:** an incremental answer leaves a partition out only if its last answer in the
//! session, which the client has, said the same.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use uuid::Uuid;
use weir_api::{FetchPartition, FetchedPartition, TopicRef};
use weir_types::Offset;

use crate::codec::ErrorCode;

/// A session that was used within this time is not evicted for another one.
const KEPT: Duration = Duration::from_secs(120);
const NO_OFFSET: Offset = Offset(-1);

/// Epoch of a request that wants no session.
pub(crate) const FINAL_EPOCH: i32 = -1;
/// Epoch of a request that wants a new one.
pub(crate) const INITIAL_EPOCH: i32 = 0;

pub(crate) type Key = (TopicRef, i32);

/// All sessions of a broker, within bounds.
pub(crate) struct FetchSessions {
    sessions_max: usize,
    partitions_max: usize,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    sessions: HashMap<i32, Slot>,
    partitions: usize,
}

struct Slot {
    session: SharedSession,
    last_used: Instant,
    /// As counted in the cache's sum.
    partitions: usize,
}

pub(crate) type SharedSession = Arc<Mutex<Session>>;

/// What one client is asking for, in the order in which it is served.
pub(crate) struct Session {
    id: i32,
    /// Of the next request.
    epoch: i32,
    by_topic_id: bool,
    places: HashMap<Key, u64>,
    partitions: BTreeMap<u64, Cached>,
    next_place: u64,
}

struct Cached {
    ask: FetchPartition,
    high_watermark: Offset,
    log_start: Offset,
}

impl FetchSessions {
    pub(crate) fn new(sessions_max: usize, partitions_max: usize) -> Self {
        Self {
            sessions_max,
            partitions_max,
            cache: Mutex::default(),
        }
    }

    /// A new session over these partitions; `None` where there is no room: then the client goes
    /// on with full requests.
    pub(crate) fn create(
        &self,
        partitions: &[FetchPartition],
        by_topic_id: bool,
        now: Instant,
    ) -> Option<SharedSession> {
        let mut cache = lock(&self.cache);
        let count = partitions.len();
        let full = |cache: &Cache| {
            cache.sessions.len() >= self.sessions_max
                || cache.partitions + count > self.partitions_max
        };
        if full(&cache) {
            cache.evict(now);
        }
        if count == 0 || full(&cache) {
            return None;
        }
        let id = cache.unused_id();
        let mut session = Session {
            id,
            epoch: 1,
            by_topic_id,
            places: HashMap::new(),
            partitions: BTreeMap::new(),
            next_place: 0,
        };
        session.update(partitions.to_vec(), &[]);
        let partitions = session.places.len();
        let session = Arc::new(Mutex::new(session));
        cache.partitions += partitions;
        let slot = Slot {
            session: Arc::clone(&session),
            last_used: now,
            partitions,
        };
        cache.sessions.insert(id, slot);
        Some(session)
    }

    /// Brings a session up to an incremental request and begins its next epoch.
    pub(crate) fn resume(
        &self,
        (id, epoch): (i32, i32),
        by_topic_id: bool,
        ask: Vec<FetchPartition>,
        forgotten: &[Key],
        now: Instant,
    ) -> Result<SharedSession, ErrorCode> {
        let mut cache = lock(&self.cache);
        let room = self.partitions_max.saturating_sub(cache.partitions);
        let slot = cache
            .sessions
            .get_mut(&id)
            .ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        slot.last_used = now;
        let shared = Arc::clone(&slot.session);
        let mut session = lock(&shared);
        if session.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_topic_id != by_topic_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        let joining =
            |ask: &&FetchPartition| !session.places.contains_key(&(ask.topic.clone(), ask.index));
        if ask.iter().filter(joining).count() > room {
            // Asked for again in full, the client gets no session if there still is no room.
            drop(session);
            cache.remove(id);
            return Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        }
        session.update(ask, forgotten);
        session.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        let count = session.places.len();
        let before = std::mem::replace(&mut slot.partitions, count);
        cache.partitions = cache.partitions + count - before;
        drop(session);
        Ok(shared)
    }

    pub(crate) fn remove(&self, id: i32) {
        lock(&self.cache).remove(id);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        lock(&self.cache).sessions.len()
    }
}

impl Cache {
    fn remove(&mut self, id: i32) {
        if let Some(slot) = self.sessions.remove(&id) {
            self.partitions -= slot.partitions;
        }
    }

    /// Takes out the session that was not used for longest, if that is long enough.
    fn evict(&mut self, now: Instant) {
        let oldest = self.sessions.iter().min_by_key(|(_, slot)| slot.last_used);
        let stale = oldest.filter(|(_, slot)| now.duration_since(slot.last_used) >= KEPT);
        if let Some(id) = stale.map(|(id, _)| *id) {
            self.remove(id);
        }
    }

    /// Random, so that nobody meets another one's session by chance.
    fn unused_id(&self) -> i32 {
        loop {
            let (high, _) = Uuid::new_v4().as_u64_pair();
            let id = (high >> 33) as i32;
            if id > 0 && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}

impl Session {
    pub(crate) fn id(&self) -> i32 {
        self.id
    }

    /// What to ask the engine for.
    pub(crate) fn asks(&self) -> Vec<FetchPartition> {
        self.partitions
            .values()
            .map(|cached| cached.ask.clone())
            .collect()
    }

    /// Notes an answer; whether the client has to be told.
    pub(crate) fn note(&mut self, key: &Key, got: &FetchedPartition) -> bool {
        let Some(place) = self.places.get(key).copied() else {
            return true;
        };
        let Some(mut cached) = self.partitions.remove(&place) else {
            return true;
        };
        let troubled = got.error.is_some() || got.diverging.is_some();
        let told = troubled
            || got.preferred.is_some()
            || !got.records.is_empty()
            || got.high_watermark != cached.high_watermark
            || got.log_start != cached.log_start;
        // After trouble the client is told again, even if nothing else changes.
        cached.high_watermark = if troubled {
            NO_OFFSET
        } else {
            got.high_watermark
        };
        cached.log_start = got.log_start;
        // Those that got records go last, so that none starves under a small limit.
        let place = if got.records.is_empty() {
            place
        } else {
            self.take_place()
        };
        self.places.insert(key.clone(), place);
        self.partitions.insert(place, cached);
        told
    }

    fn update(&mut self, asks: Vec<FetchPartition>, forgotten: &[Key]) {
        for ask in asks {
            let key = (ask.topic.clone(), ask.index);
            match self
                .places
                .get(&key)
                .and_then(|place| self.partitions.get_mut(place))
            {
                Some(cached) => cached.ask = ask,
                None => {
                    let place = self.take_place();
                    let (high_watermark, log_start) = (NO_OFFSET, NO_OFFSET);
                    self.places.insert(key, place);
                    self.partitions.insert(
                        place,
                        Cached {
                            ask,
                            high_watermark,
                            log_start,
                        },
                    );
                }
            }
        }
        for key in forgotten {
            if let Some(place) = self.places.remove(key) {
                self.partitions.remove(&place);
            }
        }
    }

    fn take_place(&mut self) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        place
    }
}

/// A panic elsewhere leaves at worst a session whose client is told more than it needs.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
