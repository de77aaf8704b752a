//! The topic of committed offsets: where a group belongs, and how the topic comes into being.

use std::collections::BTreeMap;
use tokio::time::Instant;
use uuid::Uuid;
use weir_core::cluster::{Image, NewTopic};
use weir_types::TopicId;

use super::GroupsConfig;

pub(super) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Replicas wanted where nobody configured a number.
const REPLICAS_DEFAULT: usize = 3;

/// The partition that keeps a group: Java's `String.hashCode` of its id, made positive as Kafka's
/// `Utils.abs` does, modulo the partition count.
pub(super) fn partition_for(group: &str, partition_count: usize) -> i32 {
    let hash = group.encode_utf16().fold(0i32, |h, unit| {
        h.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    let hash = if hash == i32::MIN { 0 } else { hash.abs() };
    let count = i32::try_from(partition_count.max(1)).unwrap_or(i32::MAX);
    hash % count
}

/// How many replicas the topic gets if it is created now; `None`: not yet, more brokers are
/// needed or expected. `short_since` remembers since when brokers are missing.
pub(super) fn replicas_now(
    image: &Image,
    config: &GroupsConfig,
    short_since: &mut Option<Instant>,
) -> Option<i16> {
    let cordoned = |id: &weir_types::BrokerId| image.is_cordoned(*id);
    let registered = image.brokers.keys().filter(|id| !cordoned(id)).count();
    let live = image
        .brokers
        .values()
        .filter(|b| !b.fenced && !b.stopping && !image.is_cordoned(b.id))
        .count();
    if live == 0 {
        return None;
    }
    if let Some(wanted) = config.offsets_topic_replication_factor {
        let enough = usize::try_from(wanted).is_ok_and(|w| live >= w);
        return enough.then_some(wanted);
    }
    let wanted = registered.min(REPLICAS_DEFAULT);
    if live >= wanted {
        return i16::try_from(wanted).ok();
    }
    // A replication factor stays for good, so brokers that are only late are waited for.
    let since = *short_since.get_or_insert_with(Instant::now);
    let patient = since.elapsed() < config.creation_patience;
    if patient || live * 2 <= registered {
        return None;
    }
    i16::try_from(live).ok()
}

pub(super) fn new_offsets_topic(config: &GroupsConfig, replicas: i16) -> NewTopic {
    let id = Uuid::new_v4();
    let settings = [
        ("cleanup.policy", "compact".to_owned()),
        ("compression.type", "producer".to_owned()),
        (
            "segment.bytes",
            config.offsets_topic_segment_bytes.to_string(),
        ),
    ];
    NewTopic {
        id: TopicId(id),
        name: OFFSETS_TOPIC.to_owned(),
        internal: true,
        partitions: config.offsets_topic_partitions,
        replication_factor: replicas,
        assignments: None,
        config: settings
            .map(|(k, v)| (k.to_owned(), v))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        owner: None,
        seed: id.as_u64_pair().0,
        validate_only: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_belong_where_kafka_puts_them() {
        // As Java 21 says: Math.abs(s.hashCode()) % 50.
        for (group, partition) in [
            ("", 0),
            ("a", 47),
            ("my-group", 12),
            ("console-consumer-1", 24),
            ("grüße-😀", 27),
        ] {
            assert_eq!(partition_for(group, 50), partition, "{group}");
        }
        // The one hash without a positive counterpart.
        assert_eq!(partition_for("polygenelubricants", 50), 0);
    }
}
