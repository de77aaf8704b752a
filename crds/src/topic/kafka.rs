//! A topic's settings as Kafka names them, read into the fields of a resource.

use std::collections::BTreeMap;

use super::{Cleanup, TopicConfig};
use crate::cluster::{Flush, TimestampType};
use crate::units::{format_bytes, format_millis};

impl TopicConfig {
    /// The fields that say what `settings` say, and the settings for which there is no field or
    /// whose value a field cannot hold. The inverse of what the operator sends to the brokers.
    pub fn from_kafka(
        settings: &BTreeMap<String, String>,
    ) -> (TopicConfig, BTreeMap<String, String>) {
        let mut config = TopicConfig::default();
        let mut rest = BTreeMap::new();
        for (name, value) in settings {
            if !config.take(name, value) {
                rest.insert(name.clone(), value.clone());
            }
        }
        (config, rest)
    }

    /// Whether there is a field for it.
    fn take(&mut self, name: &str, value: &str) -> bool {
        let number = value.parse::<i64>().ok();
        let millis = || number.and_then(format_millis);
        let bytes = || number.and_then(format_bytes);
        // Only retention may be without a bound.
        let bounded = number.is_some_and(|n| n >= 0);
        match name {
            "retention.ms" => put(&mut self.retention, millis()),
            "retention.bytes" => put(&mut self.retention_size, bytes()),
            "cleanup.policy" => put(&mut self.cleanup, cleanup(value)),
            "weir.flush" => put(&mut self.flush, flush(value)),
            "message.timestamp.type" => put(&mut self.timestamp_type, timestamp(value)),
            "min.insync.replicas" => {
                let count = value.parse().ok().filter(|n| (1..=50).contains(n));
                put(&mut self.min_insync_replicas, count)
            }
            "weir.flush.interval.ms" if bounded => put(&mut self.flush_interval, millis()),
            "segment.ms" if bounded => put(&mut self.segment_age, millis()),
            "max.message.bytes" if bounded => put(&mut self.max_message_size, bytes()),
            "segment.bytes" if bounded => put(&mut self.segment_size, bytes()),
            _ => false,
        }
    }
}

fn put<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    *field = value;
    field.is_some()
}

fn flush(value: &str) -> Option<Flush> {
    match value {
        "sync" => Some(Flush::Sync),
        "async" => Some(Flush::Async),
        _ => None,
    }
}

fn timestamp(value: &str) -> Option<TimestampType> {
    match value {
        "CreateTime" => Some(TimestampType::CreateTime),
        "LogAppendTime" => Some(TimestampType::LogAppendTime),
        _ => None,
    }
}

fn cleanup(value: &str) -> Option<Vec<Cleanup>> {
    let mut all = Vec::new();
    for name in value.split(',') {
        let one = match name.trim() {
            "delete" => Cleanup::Delete,
            "compact" => Cleanup::Compact,
            _ => return None,
        };
        if !all.contains(&one) {
            all.push(one);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_field_can_say_is_left_over() {
        let pairs = [
            ("retention.ms", "604800000"),
            ("retention.bytes", "-1"),
            ("cleanup.policy", "delete,compact"),
            ("segment.ms", "-1"),
            ("compression.type", "producer"),
            ("min.insync.replicas", "two"),
        ];
        let pair = |(k, v): (&str, &str)| (k.to_owned(), v.to_owned());
        let settings: BTreeMap<_, _> = pairs.into_iter().map(pair).collect();
        let (config, rest) = TopicConfig::from_kafka(&settings);
        let expected = TopicConfig {
            retention: Some("7d".to_owned()),
            retention_size: Some("Unlimited".to_owned()),
            cleanup: Some(vec![Cleanup::Delete, Cleanup::Compact]),
            ..TopicConfig::default()
        };
        assert_eq!(config, expected);
        let left: Vec<&str> = rest.keys().map(String::as_str).collect();
        assert_eq!(
            left,
            ["compression.type", "min.insync.replicas", "segment.ms"]
        );
    }
}
