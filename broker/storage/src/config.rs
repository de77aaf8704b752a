//! How one partition's log is kept.

use std::collections::BTreeMap;
use weir_types::limits;

/// When appended records become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Synced before they are acknowledged.
    Sync,
    /// Acknowledged first, synced at this interval: a power loss may take what was acknowledged.
    Async { interval_ms: u32 },
}

/// Which clock a record's timestamp comes from (KIP-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// Settings of a log; the defaults are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A segment is closed before it grows past this many bytes.
    pub segment_bytes: u32,
    /// A segment is closed this long after its first append, even if it is small.
    pub segment_ms: i64,
    /// `None`: for ever.
    pub retention_ms: Option<i64>,
    /// Of the whole partition. `None`: unbounded.
    pub retention_bytes: Option<u64>,
    /// Bytes of log between two index entries.
    pub index_interval_bytes: u32,
    /// `cleanup.policy` contains `compact`.
    pub compact: bool,
    /// `cleanup.policy` contains `delete`.
    pub delete: bool,
    /// How long a compacted log keeps tombstones.
    pub delete_retention_ms: i64,
    /// Records younger than this are not compacted away.
    pub min_compaction_lag_ms: i64,
    /// Part of the log, in percent, that must be new before compaction starts.
    pub min_cleanable_percent: u8,
    /// Largest batch that a client may send.
    pub max_batch_bytes: usize,
    pub timestamp_type: TimestampType,
    /// How far a CreateTime may lie behind the broker's clock.
    pub timestamp_before_max_ms: i64,
    /// How far a CreateTime may lie ahead of the broker's clock.
    pub timestamp_after_max_ms: i64,
    pub flush: Flush,
    /// Idle producers are forgotten after this long (`producer.id.expiration.ms`).
    pub producer_expiry_ms: i64,
}

impl Default for LogConfig {
    fn default() -> Self {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            retention_ms: Some(7 * DAY_MS),
            retention_bytes: None,
            index_interval_bytes: 4096,
            compact: false,
            delete: true,
            delete_retention_ms: DAY_MS,
            min_compaction_lag_ms: 0,
            min_cleanable_percent: 50,
            max_batch_bytes: limits::BATCH_BYTES_MAX,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 60 * 60 * 1000,
            flush: Flush::Sync,
            producer_expiry_ms: DAY_MS,
        }
    }
}

/// Topic configs that [`LogConfig::from_kafka`] reads.
pub const LOG_CONFIG_NAMES: &[&str] = &[
    "cleanup.policy",
    "compression.type",
    "delete.retention.ms",
    "flush",
    "flush.ms",
    "index.interval.bytes",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "producer.id.expiration.ms",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.ms",
];

impl LogConfig {
    /// Reads the topic configs that concern the log; others are left to others.
    ///
    /// # Errors
    /// Says which value is wrong and what would be right.
    pub fn from_kafka(map: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut config = Self::default();
        for (name, value) in map {
            config.set(name, value.trim())?;
        }
        if let (Flush::Async { interval_ms }, Some(ms)) = (&mut config.flush, map.get("flush.ms")) {
            *interval_ms = number("flush.ms", ms.trim(), 1, i64::from(u32::MAX))? as u32;
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "segment.bytes" => {
                self.segment_bytes = number(name, value, 1024, i64::from(i32::MAX))? as u32;
            }
            "segment.ms" => self.segment_ms = number(name, value, 1, i64::MAX)?,
            "retention.ms" => self.retention_ms = unlimited(name, value)?,
            "retention.bytes" => {
                self.retention_bytes = unlimited(name, value)?.map(i64::unsigned_abs);
            }
            "index.interval.bytes" => {
                self.index_interval_bytes = number(name, value, 0, i64::from(i32::MAX))? as u32;
            }
            "cleanup.policy" => (self.compact, self.delete) = cleanup(value)?,
            "delete.retention.ms" => self.delete_retention_ms = number(name, value, 0, i64::MAX)?,
            "min.compaction.lag.ms" => {
                self.min_compaction_lag_ms = number(name, value, 0, i64::MAX)?;
            }
            "min.cleanable.dirty.ratio" => self.min_cleanable_percent = percent(name, value)?,
            "max.message.bytes" => {
                self.max_batch_bytes = number(name, value, 0, i64::from(i32::MAX))? as usize;
            }
            "message.timestamp.type" => {
                self.timestamp_type = match value {
                    "CreateTime" => TimestampType::CreateTime,
                    "LogAppendTime" => TimestampType::LogAppendTime,
                    _ => {
                        return Err(format!(
                            "{name}: CreateTime or LogAppendTime, not {value:?}"
                        ));
                    }
                };
            }
            "message.timestamp.before.max.ms" => {
                self.timestamp_before_max_ms = number(name, value, 0, i64::MAX)?;
            }
            "message.timestamp.after.max.ms" => {
                self.timestamp_after_max_ms = number(name, value, 0, i64::MAX)?;
            }
            "producer.id.expiration.ms" => {
                self.producer_expiry_ms = number(name, value, 1, i64::from(i32::MAX))?;
            }
            "compression.type" if value != "producer" => {
                return Err(format!("{name}: only producer is supported, not {value:?}"));
            }
            "flush" => {
                self.flush = match value {
                    "sync" => Flush::Sync,
                    "async" => Flush::Async { interval_ms: 1000 },
                    _ => return Err(format!("{name}: sync or async, not {value:?}")),
                };
            }
            _ => {}
        }
        Ok(())
    }
}

fn number(name: &str, value: &str, min: i64, max: i64) -> Result<i64, String> {
    let parsed: i64 = value
        .parse()
        .map_err(|_| format!("{name}: {value:?} is not a number"))?;
    if (min..=max).contains(&parsed) {
        Ok(parsed)
    } else {
        Err(format!("{name}: {parsed} is not within {min} to {max}"))
    }
}

fn unlimited(name: &str, value: &str) -> Result<Option<i64>, String> {
    let parsed = number(name, value, -1, i64::MAX)?;
    Ok((parsed >= 0).then_some(parsed))
}

fn percent(name: &str, value: &str) -> Result<u8, String> {
    let ratio: f64 = value
        .parse()
        .map_err(|_| format!("{name}: {value:?} is not a number"))?;
    if (0.0..=1.0).contains(&ratio) {
        Ok((ratio * 100.0) as u8)
    } else {
        Err(format!("{name}: {ratio} is not within 0 to 1"))
    }
}

fn cleanup(value: &str) -> Result<(bool, bool), String> {
    let (mut compact, mut delete) = (false, false);
    for policy in value
        .split(',')
        .map(str::trim)
        .filter(|policy| !policy.is_empty())
    {
        match policy {
            "compact" => compact = true,
            "delete" => delete = true,
            _ => return Err(format!("cleanup.policy: compact or delete, not {policy:?}")),
        }
    }
    Ok((compact, delete))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<LogConfig, String> {
        let map = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        LogConfig::from_kafka(&map)
    }

    #[test]
    fn kafka_names_are_read() {
        let config = parse(&[
            ("cleanup.policy", "compact, delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "1000"),
            ("flush", "async"),
            ("flush.ms", "250"),
            ("message.timestamp.type", "LogAppendTime"),
            ("min.insync.replicas", "2"),
        ])
        .expect("all are valid");
        assert!(config.compact && config.delete);
        assert_eq!(config.retention_ms, None);
        assert_eq!(config.retention_bytes, Some(1000));
        assert_eq!(config.flush, Flush::Async { interval_ms: 250 });
        assert_eq!(config.timestamp_type, TimestampType::LogAppendTime);
    }

    #[test]
    fn wrong_values_are_refused() {
        for (name, value) in [
            ("retention.ms", "a week"),
            ("segment.bytes", "0"),
            ("cleanup.policy", "shred"),
            ("compression.type", "gzip"),
            ("flush", "maybe"),
        ] {
            assert!(parse(&[(name, value)]).is_err(), "{name}={value}");
        }
    }
}
