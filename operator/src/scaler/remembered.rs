//! What the operator remembers of scalers between reconciles.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_crds::ConsumerScaler;
use weir_scaler::Memory;

use super::backlogs::Backlogs;
use super::known_pods::KnownPods;
use crate::claims::Claims;

/// How long the address of a pod that is gone may be in its group: longer than sessions last.
const FORMER_MS: u64 = 300_000;
/// Addresses kept for one scaler.
const FORMER_MAX: usize = 1_000;

/// Shared by all scalers.
pub struct Scalers {
    pub backlogs: Backlogs,
    /// Which of them have the same target.
    pub claims: Arc<Claims<ConsumerScaler>>,
    pub clock: Clock,
    pub pods: KnownPods,
    /// By the resource's UID.
    all: Mutex<HashMap<String, Remembered>>,
    /// When each status was last written, by UID.
    written: Mutex<HashMap<String, u64>>,
}

/// What is known of one scaler.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// What it was learnt about; of something else it says nothing.
    pub about: String,
    pub memory: Memory,
    /// Addresses of the target's pods, and when they were last seen.
    pub ips: BTreeMap<String, u64>,
    /// What else scales the target, and when that was looked up.
    pub other_scaler: Option<(u64, Option<String>)>,
}

impl Default for Scalers {
    fn default() -> Self {
        Self {
            backlogs: Backlogs::default(),
            claims: Arc::default(),
            clock: Clock::new(),
            pods: KnownPods::default(),
            all: Mutex::default(),
            written: Mutex::default(),
        }
    }
}

impl Scalers {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a scaler; `None` after the operator has started.
    pub fn recall(&self, uid: &str) -> Option<Remembered> {
        self.lock().get(uid).cloned()
    }

    pub fn remember(&self, uid: &str, remembered: Remembered) {
        self.lock().insert(uid.to_owned(), remembered);
    }

    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
        self.pods.forget(uid);
        self.writes().remove(uid);
    }

    fn writes(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status of a scaler was written now.
    pub fn written(&self, uid: &str) {
        self.writes().insert(uid.to_owned(), self.clock.now_ms());
    }

    /// Since the status was last written by this operator; very long, if it never was.
    pub fn since_written_ms(&self, uid: &str) -> u64 {
        let at = self.writes().get(uid).copied();
        at.map_or(u64::MAX, |at| self.clock.now_ms().saturating_sub(at))
    }
}

/// How long it is believed that nothing else, or something else, scales the target.
const OTHER_SCALER_MS: u64 = 30_000;

impl Remembered {
    /// What else scales the target, if that was looked up lately.
    pub fn other_scaler(&self, now_ms: u64) -> Option<Option<String>> {
        let (at, other) = self.other_scaler.as_ref()?;
        (now_ms.saturating_sub(*at) < OTHER_SCALER_MS).then(|| other.clone())
    }

    /// Notes the addresses that there are.
    pub fn see(&mut self, ips: impl Iterator<Item = String>, now_ms: u64) {
        self.ips.extend(ips.map(|ip| (ip, now_ms)));
        self.ips
            .retain(|_, seen| now_ms.saturating_sub(*seen) < FORMER_MS);
        while self.ips.len() > FORMER_MAX {
            self.ips.pop_first();
        }
    }

    pub fn former_ips(&self) -> BTreeSet<String> {
        self.ips.keys().cloned().collect()
    }
}

/// Unix time as it was when the operator started, and from then on by a clock that never goes
/// back; so what was learnt before a restart has its place on it too.
pub struct Clock {
    unix_ms: u64,
    began: Instant,
    ahead_ms: AtomicU64,
}

impl Clock {
    fn new() -> Self {
        let now = jiff::Timestamp::now().as_millisecond();
        Self {
            unix_ms: u64::try_from(now).unwrap_or(0),
            began: Instant::now(),
            ahead_ms: AtomicU64::new(0),
        }
    }

    pub fn now_ms(&self) -> u64 {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        self.unix_ms.saturating_add(passed).saturating_add(ahead)
    }

    /// Lets time pass, for tests.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(0);
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// This moment as a status writes it.
    pub fn stamp(&self) -> String {
        let ms = i64::try_from(self.now_ms()).unwrap_or(0);
        let at = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}
