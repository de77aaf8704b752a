//! What is said about a topic.

use weir_crds::{Topic, TopicStatus};
use weir_proto::admin as pb;

use super::observe::Holder;
use super::plan::Wanted;
use crate::conditions::{Verdict, settle};

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
