//! Typed settings as Kafka's names and values.

use std::collections::{BTreeMap, BTreeSet};

use weir_crds::{
    BrokerConfig, Cleanup, Flush, QueueClusterSpec, ReadFrom, TimestampType, TopicConfig,
    UnitError, parse_bytes, parse_millis,
};

pub type Settings = BTreeMap<String, String>;

struct Writer(Settings);

impl Writer {
    fn put(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.to_string());
        }
    }

    fn millis(&mut self, name: &str, text: Option<&String>) -> Result<(), UnitError> {
        self.put(name, text.map(|t| parse_millis(t)).transpose()?);
        Ok(())
    }

    fn bytes(&mut self, name: &str, text: Option<&String>) -> Result<(), UnitError> {
        self.put(name, text.map(|t| parse_bytes(t)).transpose()?);
        Ok(())
    }
}

fn flush(flush: Flush) -> &'static str {
    match flush {
        Flush::Sync => "sync",
        Flush::Async => "async",
    }
}

fn timestamp(kind: TimestampType) -> &'static str {
    match kind {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn replica_selector(read_from: ReadFrom) -> &'static str {
    match read_from {
        ReadFrom::Leader => "LeaderSelector",
        ReadFrom::SameRack => "RackAwareReplicaSelector",
    }
}

/// Cluster-wide settings, with the defaults that follow from the number of brokers.
///
/// # Errors
/// A duration or a size that does not fit.
pub fn cluster_settings(spec: &QueueClusterSpec) -> Result<Settings, UnitError> {
    let config: &BrokerConfig = &spec.config;
    let mut out = Writer(Settings::new());
    let factor = config
        .default_replication_factor
        .unwrap_or_else(|| spec.replicas.min(3));
    let min_insync = config
        .min_insync_replicas
        .or_else(|| (factor >= 3).then_some(2));
    out.put("default.replication.factor", Some(factor));
    out.put("min.insync.replicas", min_insync);
    out.put("num.partitions", config.num_partitions);
    out.put("auto.create.topics.enable", config.auto_create_topics);
    out.millis("log.retention.ms", config.retention.as_ref())?;
    out.bytes("log.retention.bytes", config.retention_size.as_ref())?;
    out.bytes("log.segment.bytes", config.segment_size.as_ref())?;
    out.millis("log.roll.ms", config.segment_age.as_ref())?;
    out.bytes("message.max.bytes", config.message_max_size.as_ref())?;
    out.put("weir.flush", config.flush.map(flush));
    out.millis("weir.flush.interval.ms", config.flush_interval.as_ref())?;
    let stamp = config.timestamp_type.map(timestamp);
    out.put("log.message.timestamp.type", stamp);
    let partitions = config.offsets_topic_partitions;
    out.put("offsets.topic.num.partitions", partitions);
    let factor = config.offsets_topic_replication_factor;
    out.put("offsets.topic.replication.factor", factor);
    let kept = config.offsets_retention.as_deref().map(parse_millis);
    let minutes = kept.transpose()?.map(|ms| ms / 60_000);
    out.put("offsets.retention.minutes", minutes);
    let delay = config.group_initial_rebalance_delay.as_ref();
    out.millis("group.initial.rebalance.delay.ms", delay)?;
    let selector = config.consumers_read_from.map(replica_selector);
    out.put("replica.selector.class", selector);
    let rate = config.move_rate.as_ref();
    out.bytes("follower.replication.throttled.rate", rate)?;
    out.bytes("leader.replication.throttled.rate", rate)?;
    Ok(out.0)
}

/// A topic's own settings.
///
/// # Errors
/// A duration or a size that does not fit.
pub fn topic_settings(config: &TopicConfig) -> Result<Settings, UnitError> {
    let mut out = Writer(Settings::new());
    out.millis("retention.ms", config.retention.as_ref())?;
    out.bytes("retention.bytes", config.retention_size.as_ref())?;
    let cleanup = config.cleanup.as_ref().map(|policies| {
        let mut names: Vec<&str> = policies
            .iter()
            .map(|p| match p {
                Cleanup::Delete => "delete",
                Cleanup::Compact => "compact",
            })
            .collect();
        names.sort_unstable();
        names.join(",")
    });
    out.put("cleanup.policy", cleanup);
    out.put("weir.flush", config.flush.map(flush));
    out.millis("weir.flush.interval.ms", config.flush_interval.as_ref())?;
    out.put("min.insync.replicas", config.min_insync_replicas);
    out.bytes("max.message.bytes", config.max_message_size.as_ref())?;
    out.bytes("segment.bytes", config.segment_size.as_ref())?;
    out.millis("segment.ms", config.segment_age.as_ref())?;
    let stamp = config.timestamp_type.map(timestamp);
    out.put("message.timestamp.type", stamp);
    Ok(out.0)
}

/// What has to be set and taken away so that `live` agrees with `wanted` in all that is ours:
/// the wanted names, and those that we set before.
pub fn difference(
    wanted: &Settings,
    live: &Settings,
    ours_before: &[String],
) -> (Settings, Vec<String>) {
    let set = wanted
        .iter()
        .filter(|(name, value)| live.get(*name).is_none_or(|now| !same(name, now, value)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let remove = ours_before
        .iter()
        .filter(|name| !wanted.contains_key(*name) && live.contains_key(*name))
        .cloned()
        .collect();
    (set, remove)
}

/// Whether two values of a config mean the same: the order in a list says nothing.
fn same(name: &str, one: &str, other: &str) -> bool {
    let items = |text: &str| -> BTreeSet<String> {
        text.split(',').map(|item| item.trim().to_owned()).collect()
    };
    one == other || name == "cleanup.policy" && items(one) == items(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn topic_settings_carry_kafka_names() {
        let config = TopicConfig {
            retention: Some("168h".to_owned()),
            cleanup: Some(vec![Cleanup::Delete]),
            flush: Some(Flush::Sync),
            segment_size: Some("64Mi".to_owned()),
            ..TopicConfig::default()
        };
        let expected = settings(&[
            ("cleanup.policy", "delete"),
            ("retention.ms", "604800000"),
            ("segment.bytes", "67108864"),
            ("weir.flush", "sync"),
        ]);
        assert_eq!(topic_settings(&config), Ok(expected));
    }

    #[test]
    fn cluster_settings_carry_kafka_names() {
        let text = serde_json::json!({
            "replicas": 3,
            "storage": {"size": "1Gi"},
            "config": {
                "minInsyncReplicas": 1, "defaultReplicationFactor": 2, "numPartitions": 3,
                "autoCreateTopics": true, "retention": "1h", "retentionSize": "1Ki",
                "segmentSize": "2Ki", "segmentAge": "2h", "messageMaxSize": "3Ki",
                "flush": "Async", "flushInterval": "5s", "timestampType": "LogAppendTime",
                "offsetsTopicPartitions": 4, "offsetsTopicReplicationFactor": 1,
                "offsetsRetention": "6h", "groupInitialRebalanceDelay": "7s",
                "consumersReadFrom": "Leader", "moveRate": "4Ki",
            },
        });
        let spec: QueueClusterSpec = serde_json::from_value(text).expect("a valid spec");
        let expected = settings(&[
            ("auto.create.topics.enable", "true"),
            ("default.replication.factor", "2"),
            ("follower.replication.throttled.rate", "4096"),
            ("group.initial.rebalance.delay.ms", "7000"),
            ("leader.replication.throttled.rate", "4096"),
            ("log.message.timestamp.type", "LogAppendTime"),
            ("log.retention.bytes", "1024"),
            ("log.retention.ms", "3600000"),
            ("log.roll.ms", "7200000"),
            ("log.segment.bytes", "2048"),
            ("message.max.bytes", "3072"),
            ("min.insync.replicas", "1"),
            ("num.partitions", "3"),
            ("offsets.retention.minutes", "360"),
            ("offsets.topic.num.partitions", "4"),
            ("offsets.topic.replication.factor", "1"),
            ("replica.selector.class", "LeaderSelector"),
            ("weir.flush", "async"),
            ("weir.flush.interval.ms", "5000"),
        ]);
        assert_eq!(cluster_settings(&spec), Ok(expected));
    }

    #[test]
    fn only_what_is_ours_counts_as_drift() {
        let wanted = settings(&[("a", "1"), ("b", "2")]);
        let live = settings(&[("a", "1"), ("b", "3"), ("c", "4"), ("theirs", "5")]);
        let ours = ["c".to_owned(), "gone".to_owned()];
        let (set, remove) = difference(&wanted, &live, &ours);
        assert_eq!(set, settings(&[("b", "2")]));
        assert_eq!(remove, ["c"]);
    }

    /// An exported topic is adopted without a difference.
    #[test]
    fn what_is_exported_asks_for_what_there_is() {
        let live = settings(&[
            ("cleanup.policy", "delete,compact"),
            ("compression.type", "producer"),
            ("max.message.bytes", "1048588"),
            ("message.timestamp.type", "LogAppendTime"),
            ("min.insync.replicas", "2"),
            ("retention.bytes", "-1"),
            ("retention.ms", "-1"),
            ("segment.bytes", "67108864"),
            ("segment.ms", "90500"),
            ("weir.flush", "async"),
            ("weir.flush.interval.ms", "1000"),
        ]);
        let (config, rest) = TopicConfig::from_kafka(&live);
        assert_eq!(rest, settings(&[("compression.type", "producer")]));
        let wanted = topic_settings(&config).expect("it was read from settings");
        assert_eq!(wanted.len() + rest.len(), live.len());
        assert_eq!(difference(&wanted, &live, &[]), (Settings::new(), vec![]));
    }

    #[test]
    fn a_list_in_another_order_is_no_difference() {
        let wanted = settings(&[("cleanup.policy", "compact,delete")]);
        let live = settings(&[("cleanup.policy", "delete,compact")]);
        assert_eq!(difference(&wanted, &live, &[]), (Settings::new(), vec![]));
    }
}
