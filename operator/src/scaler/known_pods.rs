//! Pods of targets as they were last listed, so that a busy scaler does not list them every second.
//!
//! What is kept of a target holds for one version of it: a pod that comes, goes, or begins or ends
//! to be ready changes the counts in the target's status, and so its version. Pods that are
//! starting or ending get addresses without that; while there are such, nothing is kept.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod;

use super::plan::addresses;
use crate::cluster::facts::is_ready;

/// How long a list is believed at most, milliseconds.
const BELIEVED_MS: u64 = 30_000;
/// Pods kept of all targets: about 20 MB. Those of more targets are listed each time.
const PODS_MAX: usize = 20_000;

#[derive(Debug, Default)]
pub struct KnownPods(Mutex<HashMap<String, Known>>);

#[derive(Debug)]
struct Known {
    /// The target as it was before its pods were listed: UID and version.
    target: (String, String),
    at_ms: u64,
    pods: Arc<Vec<Pod>>,
}

impl KnownPods {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pods of a scaler's target, if they were listed at this version of it and `hosts`, from
    /// which members of its group connect, are all theirs.
    pub fn of(
        &self,
        scaler: &str,
        target: &(String, String),
        hosts: &BTreeSet<String>,
        now_ms: u64,
    ) -> Option<Arc<Vec<Pod>>> {
        let all = self.lock();
        let known = all.get(scaler)?;
        let fresh = known.target == *target && now_ms.saturating_sub(known.at_ms) < BELIEVED_MS;
        let ours: BTreeSet<String> = known.pods.iter().flat_map(addresses).collect();
        (fresh && hosts.is_subset(&ours)).then(|| known.pods.clone())
    }

    /// Keeps what was listed, if `replicas` pods are there and settled.
    pub fn keep(
        &self,
        scaler: &str,
        target: (String, String),
        replicas: u32,
        pods: &Arc<Vec<Pod>>,
        now_ms: u64,
    ) {
        let mut all = self.lock();
        all.remove(scaler);
        let settled = |p: &Pod| {
            p.metadata.deletion_timestamp.is_none() && is_ready(p) && !addresses(p).is_empty()
        };
        let whole = u32::try_from(pods.len()) == Ok(replicas) && pods.iter().all(settled);
        let held: usize = all.values().map(|k| k.pods.len()).sum();
        if whole && held + pods.len() <= PODS_MAX {
            let pods = pods.clone();
            let known = Known {
                target,
                at_ms: now_ms,
                pods,
            };
            all.insert(scaler.to_owned(), known);
        }
    }

    pub fn forget(&self, scaler: &str) {
        self.lock().remove(scaler);
    }
}

/// Nothing of a pod but what scalers look at.
pub fn trimmed(mut pod: Pod) -> Pod {
    pod.metadata.managed_fields = None;
    pod.metadata.owner_references = None;
    pod.metadata.labels = None;
    if let Some(notes) = &mut pod.metadata.annotations {
        notes.retain(|name, _| name == super::target::DELETION_COST);
    }
    pod.spec = None;
    if let Some(status) = &mut pod.status {
        status.container_statuses = None;
        status.init_container_statuses = None;
        status.ephemeral_container_statuses = None;
    }
    pod
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(ip: &str, ready: bool) -> Pod {
        let ready = if ready { "True" } else { "False" };
        let pod = json!({
            "metadata": {"name": ip, "labels": {"app": "x"}, "annotations": {"a": "b"}},
            "spec": {"containers": []},
            "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
        });
        serde_json::from_value(pod).expect("a pod")
    }

    fn at(version: &str) -> (String, String) {
        ("uid".to_owned(), version.to_owned())
    }

    fn hosts(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|h| (*h).to_owned()).collect()
    }

    #[test]
    fn pods_are_known_for_one_version_a_while_and_their_own_members() {
        let known = KnownPods::default();
        let pods = Arc::new(vec![pod("10.0.0.1", true), pod("10.0.0.2", true)]);
        known.keep("s", at("5"), 2, &pods, 1_000);
        let ask = |version: &str, all: &[&str], now| {
            known.of("s", &at(version), &hosts(all), now).is_some()
        };
        assert!(ask("5", &[], 1_000));
        assert!(ask("5", &["10.0.0.2"], 30_999));
        assert!(!ask("5", &["10.0.0.2"], 31_000));
        assert!(!ask("6", &[], 1_000));
        assert!(!ask("5", &["10.0.0.2", "10.0.0.3"], 1_000));
        known.forget("s");
        assert!(!ask("5", &[], 1_000));
    }

    #[test]
    fn pods_that_come_or_go_are_not_kept() {
        let known = KnownPods::default();
        let mut ending = pod("10.0.0.2", true);
        let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::now());
        ending.metadata.deletion_timestamp = Some(now);
        for (pods, replicas) in [
            (vec![pod("10.0.0.1", false)], 1),
            (vec![pod("", true)], 1),
            (vec![pod("10.0.0.1", true)], 2),
            (vec![pod("10.0.0.1", true), ending], 2),
        ] {
            known.keep("s", at("5"), replicas, &Arc::new(pods), 0);
            assert!(known.of("s", &at("5"), &hosts(&[]), 0).is_none());
        }
    }

    #[test]
    fn no_more_pods_are_kept_than_the_bound() {
        let known = KnownPods::default();
        let many = Arc::new(vec![pod("10.0.0.1", true); PODS_MAX]);
        let count = u32::try_from(PODS_MAX).expect("few");
        known.keep("a", at("5"), count, &many, 0);
        assert!(known.of("a", &at("5"), &hosts(&[]), 0).is_some());
        let one = Arc::new(vec![pod("10.0.0.2", true)]);
        known.keep("b", at("5"), 1, &one, 0);
        assert!(known.of("b", &at("5"), &hosts(&[]), 0).is_none());
    }

    #[test]
    fn of_a_pod_nothing_is_kept_that_nobody_looks_at() {
        let pod = trimmed(pod("10.0.0.1", true));
        assert!(pod.spec.is_none() && pod.metadata.labels.is_none());
        assert!(is_ready(&pod));
        assert_eq!(addresses(&pod), ["10.0.0.1"]);
    }
}
