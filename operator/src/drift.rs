//! Changes behind a resource's back: noted where they are put back, told and counted once.

use std::sync::{Arc, Mutex, PoisonError};

use weir_crds::Drift;

/// Changes of one reconcile that are named; the rest is one number.
const NAMED_MAX: usize = 32;
/// Longest account of a drift, in characters of up to four bytes.
const CHARS_MAX: usize = 256;

/// What one reconcile has put back. Cheap to share.
#[derive(Clone, Default)]
pub struct Drifts(Arc<Mutex<Vec<String>>>);

impl Drifts {
    /// Something was not as it was left, and is again.
    pub fn note(&self, what: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < NAMED_MAX {
            all.push(what);
        }
    }

    /// What was put back since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// So many more changes were put back.
pub fn counted(before: Option<&Drift>, more: usize, what: &str, at: String) -> Drift {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    Drift {
        at,
        count: before.map_or(0, |d| d.count).saturating_add(more),
        message: what.chars().take(CHARS_MAX).collect(),
    }
}
