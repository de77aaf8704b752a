//! What the owner of a partition publishes for everybody else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use tokio::sync::Notify;
use weir_storage::{LogReader, RealDisk};
use weir_types::{Offset, PartitionId};

use super::leader::Session;
use super::serving::{Serving, ServingCell};

/// One replica as readers see it. Only its shard writes.
///
/// **Invariant:** the role is withdrawn before the log is cut, so whoever reads, and then still
/// finds the role it began with, has read what that leader's log holds.
pub(crate) struct Shared {
    pub(super) id: PartitionId,
    pub(super) reader: LogReader<RealDisk>,
    serving: ServingCell,
    high_watermark: AtomicI64,
    high_watermark_served: AtomicBool,
    start: AtomicI64,
    end: AtomicI64,
    /// Fetches that wait for the high watermark.
    waiting: Waiting,
    /// Sessions of followers that fetch from here.
    sessions: Mutex<Vec<Weak<Session>>>,
    session_count: AtomicUsize,
}

/// What moved, for sessions of followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// There are records to fetch, or the partition is not led here any more.
    Records,
    /// Only the high watermark or the log's start: may wait a little for company.
    Marks,
}

#[derive(Default)]
struct Waiting {
    count: AtomicUsize,
    list: Mutex<Vec<Arc<Notify>>>,
}

impl Shared {
    pub(super) fn new(id: PartitionId, reader: LogReader<RealDisk>) -> Self {
        Self {
            id,
            reader,
            serving: ServingCell::new(),
            high_watermark: AtomicI64::new(0),
            high_watermark_served: AtomicBool::new(false),
            start: AtomicI64::new(0),
            end: AtomicI64::new(0),
            waiting: Waiting::default(),
            sessions: Mutex::new(Vec::new()),
            session_count: AtomicUsize::new(0),
        }
    }

    pub(super) fn serving(&self) -> Serving {
        self.serving.load()
    }

    pub(super) fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire))
    }

    /// Rule 4.
    pub(super) fn high_watermark_served(&self) -> bool {
        self.high_watermark_served.load(Ordering::Acquire)
    }

    pub(super) fn start(&self) -> Offset {
        Offset(self.start.load(Ordering::Acquire))
    }

    pub(super) fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    // --- by the shard -----------------------------------------------------------------------

    /// Readers that wait are woken: whatever they wait for is decided anew.
    pub(super) fn publish_serving(&self, serving: Serving) {
        self.serving.store(serving);
        self.wake();
        self.mark_sessions(Moved::Records);
    }

    pub(super) fn publish_high_watermark(&self, to: Offset) {
        self.high_watermark.store(to.0, Ordering::Release);
        self.wake();
    }

    pub(super) fn publish_high_watermark_served(&self, served: bool) {
        self.high_watermark_served.store(served, Ordering::Release);
    }

    pub(super) fn publish_start(&self, start: Offset) {
        self.start.store(start.0, Ordering::Release);
    }

    pub(super) fn publish_end(&self, end: Offset) {
        self.end.store(end.0, Ordering::Release);
    }

    pub(super) fn mark_sessions(&self, moved: Moved) {
        if self.session_count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut sessions = lock(&self.sessions);
        sessions.retain(|session| match session.upgrade() {
            Some(session) => {
                session.mark(self.id, moved);
                true
            }
            None => false,
        });
        self.session_count.store(sessions.len(), Ordering::Release);
    }

    fn wake(&self) {
        if self.waiting.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        for waiter in lock(&self.waiting.list).iter() {
            waiter.notify_one();
        }
    }

    // --- by readers -------------------------------------------------------------------------

    pub(super) fn add_waiter(&self, waiter: &Arc<Notify>) {
        let mut list = lock(&self.waiting.list);
        list.push(Arc::clone(waiter));
        self.waiting.count.store(list.len(), Ordering::SeqCst);
    }

    pub(super) fn remove_waiter(&self, waiter: &Arc<Notify>) {
        let mut list = lock(&self.waiting.list);
        list.retain(|w| !Arc::ptr_eq(w, waiter));
        if list.is_empty() {
            list.shrink_to_fit();
        }
        self.waiting.count.store(list.len(), Ordering::SeqCst);
    }

    #[cfg(test)]
    pub(super) fn sessions(&self) -> usize {
        self.session_count.load(Ordering::Acquire)
    }

    pub(super) fn add_session(&self, session: &Arc<Session>) {
        let weak = Arc::downgrade(session);
        let mut sessions = lock(&self.sessions);
        if !sessions.iter().any(|s| s.ptr_eq(&weak)) {
            sessions.push(weak);
        }
        self.session_count.store(sessions.len(), Ordering::Release);
    }
}

/// Every replica of this broker.
#[derive(Default)]
pub(super) struct Table {
    replicas: RwLock<HashMap<PartitionId, Arc<Shared>>>,
    /// Replicas that cannot be served, and why.
    broken: RwLock<HashMap<PartitionId, String>>,
}

impl Table {
    pub(super) fn get(&self, id: PartitionId) -> Option<Arc<Shared>> {
        let replicas = self.replicas.read().unwrap_or_else(PoisonError::into_inner);
        replicas.get(&id).map(Arc::clone)
    }

    pub(super) fn all(&self) -> Vec<Arc<Shared>> {
        let replicas = self.replicas.read().unwrap_or_else(PoisonError::into_inner);
        replicas.values().map(Arc::clone).collect()
    }

    pub(super) fn insert(&self, shared: Arc<Shared>) {
        let mut replicas = self
            .replicas
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        replicas.insert(shared.id, shared);
    }

    pub(super) fn remove(&self, id: PartitionId) {
        let mut replicas = self
            .replicas
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        replicas.remove(&id);
    }

    pub(super) fn why_broken(&self, id: PartitionId) -> Option<String> {
        let broken = self.broken.read().unwrap_or_else(PoisonError::into_inner);
        broken.get(&id).cloned()
    }

    pub(super) fn set_broken(&self, id: PartitionId, reason: Option<String>) {
        let mut broken = self.broken.write().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => broken.insert(id, reason),
            None => broken.remove(&id),
        };
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
