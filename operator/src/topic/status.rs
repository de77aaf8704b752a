//! What is said about a topic, and what is remembered in what was said.

use std::collections::BTreeSet;

use weir_crds::{ConditionStatus, Topic, TopicStatus};
use weir_proto::admin as pb;

use super::observe::Holder;
use super::plan::Wanted;
use crate::conditions::{Verdict, settle};
use crate::drift::counted;

/// Settings that are remembered as ours; the schema bounds them too.
const KEYS_MAX: usize = 32;

/// The status with what the cluster has; nothing of a topic that is another's.
pub fn describe(
    status: &mut TopicStatus,
    wanted: &Wanted,
    live: Option<&pb::Topic>,
    holder: &Holder,
) {
    status.topic_name = Some(wanted.name.clone());
    let live = live.filter(|_| !matches!(holder, Holder::Other(_)));
    let count = |n: usize| i32::try_from(n).ok();
    status.topic_id = live.map(|t| t.id.clone());
    status.partitions = live.and_then(|t| count(t.partitions.len()));
    status.replication_factor = live
        .and_then(|t| t.partitions.first())
        .and_then(|p| count(p.replicas.len()));
}

/// The settings that this resource has set before. A topic that is ours and that the status does
/// not know yet was created by us, just before a crash: all that was set on it is ours.
pub fn ours(status: &TopicStatus, live: Option<&pb::Topic>, holder: &Holder) -> Vec<String> {
    match live {
        Some(live) if *holder == Holder::Me && status.topic_id.as_ref() != Some(&live.id) => {
            live.config.keys().take(KEYS_MAX).cloned().collect()
        }
        _ => status.config_keys.clone(),
    }
}

/// Notes which topic is about to be ours and which settings. Says whether that is news, which
/// has to be stored before anything is done.
pub fn remember(
    status: &mut TopicStatus,
    wanted: &Wanted,
    live: Option<&pb::Topic>,
    holder: &Holder,
    ours: &[String],
) -> bool {
    let keys: BTreeSet<String> = ours.iter().chain(wanted.config.keys()).cloned().collect();
    let keys: Vec<String> = keys.into_iter().take(KEYS_MAX).collect();
    let known = keys.iter().all(|key| status.config_keys.contains(key));
    if known && status.topic_id.as_ref() == live.map(|t| &t.id) {
        return false;
    }
    describe(status, wanted, live, holder);
    status.config_keys = keys;
    true
}

/// Whether the topic was as this generation of its resource wants it.
pub fn was_ready(topic: &Topic) -> bool {
    let status = topic.status.as_ref();
    let mut conditions = status.into_iter().flat_map(|s| &s.conditions);
    conditions.any(|c| {
        c.type_ == "Ready"
            && c.status == ConditionStatus::True
            && c.observed_generation == topic.metadata.generation
    })
}

/// One more change was put back.
pub fn count_drift(status: &mut TopicStatus, what: &str, at: String) {
    status.drift = Some(counted(status.drift.as_ref(), 1, what, at));
}

/// Adds the conditions.
pub fn conclude(
    topic: &Topic,
    mut status: TopicStatus,
    verdict: &Verdict,
    now: &str,
) -> TopicStatus {
    let generation = topic.metadata.generation;
    let before = topic
        .status
        .as_ref()
        .map(|s| s.conditions.clone())
        .unwrap_or_default();
    status.observed_generation = generation;
    status.conditions = settle(&before, &verdict.sayings(), generation, now);
    status
}
