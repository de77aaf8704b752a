//! The configs that exist, by Kafka's names. Every one listed here does something.

pub use super::config_def::{ConfigDef, ConfigKind};

const LONG_MAX: i64 = i64::MAX;
const INT_MAX: i64 = i32::MAX as i64;

const fn def(
    name: &'static str,
    kind: ConfigKind,
    default: &'static str,
    doc: &'static str,
) -> ConfigDef {
    ConfigDef {
        name,
        kind,
        default,
        internal_only: &[],
        doc,
    }
}

const fn int(name: &'static str, min: i64, default: &'static str, doc: &'static str) -> ConfigDef {
    def(name, ConfigKind::Int { min, max: INT_MAX }, default, doc)
}

const fn long(name: &'static str, min: i64, default: &'static str, doc: &'static str) -> ConfigDef {
    def(name, ConfigKind::Long { min, max: LONG_MAX }, default, doc)
}

const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];
const POLICIES: &[&str] = &["delete", "compact"];
const FLUSHES: &[&str] = &["sync", "async"];
pub(super) const REPLICA_SELECTOR: &str = "replica.selector.class";
pub(super) const RACK_AWARE: &str = "RackAwareReplicaSelector";

/// Configs of a topic.
pub const TOPIC: &[ConfigDef] = &[
    ConfigDef {
        name: "cleanup.policy",
        kind: ConfigKind::List(POLICIES),
        default: "delete",
        internal_only: &["compact"],
        doc: "What happens to old segments: delete them, or keep the last record of each key.",
    },
    def(
        "compression.type",
        ConfigKind::Choice(&["producer"]),
        "producer",
        "Batches are stored as their producer compressed them.",
    ),
    long(
        "delete.retention.ms",
        0,
        "86400000",
        "How long compaction keeps tombstones.",
    ),
    def(
        "follower.replication.throttled.replicas",
        ConfigKind::Replicas,
        "",
        "Replicas whose fetching is throttled while they are not in sync.",
    ),
    int(
        "index.interval.bytes",
        0,
        "4096",
        "Bytes of log between two index entries.",
    ),
    def(
        "leader.replication.throttled.replicas",
        ConfigKind::Replicas,
        "",
        "Replicas that leaders serve throttled while they are not in sync.",
    ),
    int("max.message.bytes", 0, "1048588", "Largest record batch."),
    long(
        "message.timestamp.after.max.ms",
        0,
        "3600000",
        "How far a record's timestamp may be ahead of the broker's clock.",
    ),
    long(
        "message.timestamp.before.max.ms",
        0,
        "9223372036854775807",
        "How far a record's timestamp may be behind the broker's clock.",
    ),
    def(
        "message.timestamp.type",
        ConfigKind::Choice(TIMESTAMP_TYPES),
        "CreateTime",
        "Whose clock stamps a record.",
    ),
    int(
        "min.insync.replicas",
        1,
        "1",
        "Replicas that must have a write with acks=all.",
    ),
    long(
        "retention.bytes",
        -1,
        "-1",
        "Size of a partition above which old segments go; -1: none.",
    ),
    long(
        "retention.ms",
        -1,
        "604800000",
        "Age above which old segments go; -1: none.",
    ),
    int(
        "segment.bytes",
        1_048_576,
        "1073741824",
        "Size at which a new segment starts.",
    ),
    long(
        "segment.ms",
        1,
        "604800000",
        "Age at which a new segment starts.",
    ),
    def(
        "weir.flush",
        ConfigKind::Choice(FLUSHES),
        "sync",
        "sync: a write is acknowledged once it is on disk; async: synced in the background.",
    ),
    int(
        "weir.flush.interval.ms",
        1,
        "1000",
        "How often an async topic is synced.",
    ),
];

/// Dynamic configs of brokers; the topic ones are defaults for topics that do not set their own.
pub const BROKER: &[ConfigDef] = &[
    def(
        "auto.create.topics.enable",
        ConfigKind::Boolean,
        "true",
        "Topics appear on first use.",
    ),
    int(
        "default.replication.factor",
        1,
        "1",
        "Replicas of topics that do not say.",
    ),
    long(
        "follower.replication.throttled.rate",
        0,
        "9223372036854775807",
        "Bytes a second that a broker fetches for replicas that are being added.",
    ),
    int(
        "group.initial.rebalance.delay.ms",
        0,
        "3000",
        "How long a new group waits for members.",
    ),
    int(
        "group.max.session.timeout.ms",
        1,
        "1800000",
        "Longest session timeout of a member.",
    ),
    int(
        "group.min.session.timeout.ms",
        1,
        "6000",
        "Shortest session timeout of a member.",
    ),
    long(
        "leader.replication.throttled.rate",
        0,
        "9223372036854775807",
        "Bytes a second that a broker gives to replicas that are being added.",
    ),
    int(
        "log.index.interval.bytes",
        0,
        "4096",
        "Default of index.interval.bytes.",
    ),
    long(
        "log.message.timestamp.after.max.ms",
        0,
        "3600000",
        "Default of the topic config.",
    ),
    long(
        "log.message.timestamp.before.max.ms",
        0,
        "9223372036854775807",
        "Default of the topic config.",
    ),
    def(
        "log.message.timestamp.type",
        ConfigKind::Choice(TIMESTAMP_TYPES),
        "CreateTime",
        "Default of message.timestamp.type.",
    ),
    long(
        "log.retention.bytes",
        -1,
        "-1",
        "Default of retention.bytes.",
    ),
    long(
        "log.retention.ms",
        -1,
        "604800000",
        "Default of retention.ms.",
    ),
    long("log.roll.ms", 1, "604800000", "Default of segment.ms."),
    int(
        "log.segment.bytes",
        1_048_576,
        "1073741824",
        "Default of segment.bytes.",
    ),
    int(
        "message.max.bytes",
        0,
        "1048588",
        "Default of max.message.bytes.",
    ),
    int(
        "min.insync.replicas",
        1,
        "1",
        "Default of the topic config.",
    ),
    int(
        "num.partitions",
        1,
        "1",
        "Partitions of topics that do not say.",
    ),
    int(
        "offsets.retention.minutes",
        1,
        "10080",
        "How long an empty group keeps its offsets.",
    ),
    int(
        "offsets.topic.num.partitions",
        1,
        "50",
        "Partitions of __consumer_offsets.",
    ),
    int(
        "offsets.topic.replication.factor",
        1,
        "3",
        "Most replicas of __consumer_offsets.",
    ),
    def(
        REPLICA_SELECTOR,
        ConfigKind::Choice(&[
            "LeaderSelector",
            RACK_AWARE,
            "org.apache.kafka.common.replica.LeaderSelector",
            "org.apache.kafka.common.replica.RackAwareReplicaSelector",
        ]),
        RACK_AWARE,
        "Whether leaders send consumers to an in-sync replica in the consumer's rack.",
    ),
    def(
        "weir.flush",
        ConfigKind::Choice(FLUSHES),
        "sync",
        "Default of the topic config.",
    ),
    int(
        "weir.flush.interval.ms",
        1,
        "1000",
        "Default of the topic config.",
    ),
];

/// Under which name the cluster sets the default of a topic's config.
pub fn broker_name(topic_config: &str) -> Option<&'static str> {
    Some(match topic_config {
        "index.interval.bytes" => "log.index.interval.bytes",
        "max.message.bytes" => "message.max.bytes",
        "message.timestamp.after.max.ms" => "log.message.timestamp.after.max.ms",
        "message.timestamp.before.max.ms" => "log.message.timestamp.before.max.ms",
        "message.timestamp.type" => "log.message.timestamp.type",
        "min.insync.replicas" => "min.insync.replicas",
        "retention.bytes" => "log.retention.bytes",
        "retention.ms" => "log.retention.ms",
        "segment.bytes" => "log.segment.bytes",
        "segment.ms" => "log.roll.ms",
        "weir.flush" => "weir.flush",
        "weir.flush.interval.ms" => "weir.flush.interval.ms",
        _ => return None,
    })
}

/// The default of a broker config.
pub fn broker_default(name: &str) -> Option<&'static str> {
    BROKER.iter().find(|d| d.name == name).map(|d| d.default)
}
