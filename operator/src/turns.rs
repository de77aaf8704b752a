//! When a resource may call the brokers of its cluster: a token bucket a cluster.
//!
//! Who comes too early is told when to come back, and that moment is kept free: nobody waits in a
//! reconcile, so that one cluster's thousand Topics do not hold up another's, and whoever asked
//! first is served first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Turns a second that a cluster gives, and how many of them it saves up.
const PER_SECOND: u32 = 400;
const BURST: u32 = 800;
/// Who does not come this long after its turn has lost it.
const GRACE: Duration = Duration::from_secs(60);

/// Namespace and name.
type Key = (String, String);

/// The buckets of all clusters.
#[derive(Debug)]
pub struct Turns {
    pace: Duration,
    saved: Duration,
    clusters: Mutex<HashMap<Key, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    /// When the next turn is due that nobody has.
    next: Instant,
    /// Turns given to those who came too early, by UID.
    promised: HashMap<String, Instant>,
    /// When lost turns were last forgotten.
    swept: Instant,
}

impl Default for Turns {
    fn default() -> Self {
        Self::new(PER_SECOND, BURST)
    }
}

impl Turns {
    fn new(per_second: u32, burst: u32) -> Self {
        let pace = Duration::from_secs(1) / per_second;
        Self {
            pace,
            saved: pace * burst.saturating_sub(1),
            clusters: Mutex::default(),
        }
    }

    fn clusters(&self) -> MutexGuard<'_, HashMap<Key, Bucket>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a turn.
    ///
    /// # Errors
    /// How long it is until the turn that `uid` has been promised.
    pub fn take(&self, cluster: &Key, uid: &str) -> Result<(), Duration> {
        self.take_at(cluster, uid, Instant::now())
    }

    fn take_at(&self, cluster: &Key, uid: &str, now: Instant) -> Result<(), Duration> {
        let mut clusters = self.clusters();
        // An untouched bucket is a full one.
        clusters.retain(|key, bucket| key == cluster || bucket.next + self.saved + GRACE > now);
        let bucket = clusters.entry(cluster.clone()).or_insert_with(|| Bucket {
            next: now.checked_sub(self.saved).unwrap_or(now),
            promised: HashMap::new(),
            swept: now,
        });
        if bucket.swept + GRACE < now {
            bucket.promised.retain(|_, due| *due + GRACE > now);
            bucket.swept = now;
        }
        let due = match bucket.promised.get(uid) {
            Some(due) => *due,
            None => {
                let oldest = now.checked_sub(self.saved).unwrap_or(bucket.next);
                let due = bucket.next.max(oldest);
                bucket.next = due + self.pace;
                due
            }
        };
        if due <= now {
            bucket.promised.remove(uid);
            return Ok(());
        }
        bucket.promised.insert(uid.to_owned(), due);
        Err(due - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        ("mq".to_owned(), name.to_owned())
    }

    #[test]
    fn a_burst_passes_and_then_everybody_has_a_moment_of_its_own() {
        let turns = Turns::new(10, 3);
        let start = Instant::now() + Duration::from_secs(100);
        let ask =
            |uid: &str, ms: u64| turns.take_at(&key("a"), uid, start + Duration::from_millis(ms));
        for uid in ["1", "2", "3"] {
            assert_eq!(ask(uid, 0), Ok(()));
        }
        assert_eq!(ask("4", 0), Err(Duration::from_millis(100)));
        assert_eq!(ask("5", 0), Err(Duration::from_millis(200)));
        // Asking again changes nothing, and who was promised a turn gets it.
        assert_eq!(ask("4", 50), Err(Duration::from_millis(50)));
        assert_eq!(ask("5", 200), Ok(()));
        assert_eq!(ask("4", 250), Ok(()));
        assert_eq!(ask("6", 250), Err(Duration::from_millis(50)));
    }

    #[test]
    fn clusters_do_not_share_a_bucket() {
        let turns = Turns::new(10, 1);
        let now = Instant::now() + Duration::from_secs(100);
        assert_eq!(turns.take_at(&key("a"), "1", now), Ok(()));
        assert!(turns.take_at(&key("a"), "2", now).is_err());
        assert_eq!(turns.take_at(&key("b"), "3", now), Ok(()));
    }

    #[test]
    fn a_turn_that_nobody_takes_is_forgotten() {
        let turns = Turns::new(10, 1);
        let now = Instant::now() + Duration::from_secs(100);
        assert_eq!(turns.take_at(&key("a"), "1", now), Ok(()));
        assert!(turns.take_at(&key("a"), "2", now).is_err());
        let later = now + GRACE * 2;
        assert_eq!(turns.take_at(&key("a"), "3", later), Ok(()));
        assert!(turns.clusters()[&key("a")].promised.is_empty());
    }
}
