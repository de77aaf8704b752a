//! Every session that followers hold with this broker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use weir_types::BrokerId;

use super::super::wire::SessionKey;
use super::Session;

/// More shards than a follower may have.
const SHARDS_MAX: u16 = 1024;

/// One session a follower's shard: a newer one replaces it.
#[derive(Default)]
pub(in super::super) struct Sessions {
    sessions: Mutex<HashMap<(BrokerId, u16), Arc<Session>>>,
}

impl Sessions {
    /// `None`: the follower has to begin anew (or is an old process that is not waited for).
    pub(super) fn find(&self, key: SessionKey) -> Option<Arc<Session>> {
        let sessions = self.lock();
        let session = sessions
            .get(&(key.follower, key.shard))
            .filter(|s| s.key == key);
        session.map(Arc::clone)
    }

    pub(super) fn begin(&self, key: SessionKey) -> Option<Arc<Session>> {
        if key.shard >= SHARDS_MAX {
            return None;
        }
        let mut sessions = self.lock();
        let place = (key.follower, key.shard);
        let order = |k: &SessionKey| (k.epoch, k.number);
        if sessions
            .get(&place)
            .is_some_and(|s| order(&s.key) >= order(&key))
        {
            return None;
        }
        let session = Arc::new(Session::new(key));
        sessions.insert(place, Arc::clone(&session));
        Some(session)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(BrokerId, u16), Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
