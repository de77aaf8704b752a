use std::{fmt, sync::Arc, time::Duration};
use weir_core::cluster::{ConfigResource, Image};
use weir_core::group::GroupConfig;
use weir_types::{Millis, limits};

/// The coordinator's settings. Names in brackets are Kafka's.
#[derive(Clone)]
pub struct GroupsConfig {
    pub group: GroupConfig,
    /// `offsets.topic.num.partitions`; counts only when the topic is created.
    pub offsets_topic_partitions: i32,
    /// `offsets.topic.replication.factor`: the topic is created once so many brokers are live.
    /// `None`: three, or as many as there are.
    pub offsets_topic_replication_factor: Option<i16>,
    /// `offsets.topic.segment.bytes`
    pub offsets_topic_segment_bytes: i64,
    /// With no replication factor set: how long to wait for brokers that are registered, but not
    /// live, before the topic is created on fewer.
    pub creation_patience: Duration,
    /// How long a caller waits for the topic to be there.
    pub creation_timeout: Duration,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.check.interval.ms`
    pub expiry_check: Duration,
    /// Bound on the groups of one partition of the offsets topic.
    pub groups_max: usize,
    /// Largest record of a group, bytes.
    pub record_bytes_max: usize,
    /// How much is written to the log at once, bytes; one record may be larger.
    pub write_bytes: usize,
    /// Bytes that may wait to be written before requests wait too.
    pub backlog_bytes_max: usize,
    /// Unix time.
    pub clock: Arc<dyn Fn() -> Millis + Send + Sync>,
}

impl Default for GroupsConfig {
    fn default() -> Self {
        Self {
            group: GroupConfig::default(),
            offsets_topic_partitions: 50,
            offsets_topic_replication_factor: None,
            offsets_topic_segment_bytes: 100 * 1024 * 1024,
            creation_patience: Duration::from_secs(30),
            creation_timeout: Duration::from_secs(5),
            offset_metadata_bytes_max: limits::OFFSET_METADATA_BYTES_MAX,
            expiry_check: Duration::from_secs(600),
            groups_max: 100_000,
            // A batch's header and the record's own fields take less than the difference.
            record_bytes_max: limits::BATCH_BYTES_MAX - 256,
            write_bytes: 256 * 1024,
            backlog_bytes_max: 8 * 1024 * 1024,
            clock: Arc::new(unix_now),
        }
    }
}

impl GroupsConfig {
    /// These settings with what the cluster's dynamic configs say otherwise.
    pub fn under(&self, image: &Image) -> Self {
        let mut out = self.clone();
        let Some(set) = image.configs.get(&ConfigResource::ClusterDefault) else {
            return out;
        };
        // Values were checked when they were set.
        let number = |name: &str| set.get(name).and_then(|v| v.parse::<i64>().ok());
        let int = |name: &str| number(name).and_then(|n| i32::try_from(n).ok());
        let replace = |place: &mut i32, value: Option<i32>| *place = value.unwrap_or(*place);
        replace(
            &mut out.group.session_timeout_ms_min,
            int("group.min.session.timeout.ms"),
        );
        replace(
            &mut out.group.session_timeout_ms_max,
            int("group.max.session.timeout.ms"),
        );
        replace(
            &mut out.offsets_topic_partitions,
            int("offsets.topic.num.partitions"),
        );
        if let Some(ms) = number("group.initial.rebalance.delay.ms") {
            out.group.initial_rebalance_delay_ms = ms;
        }
        if let Some(minutes) = number("offsets.retention.minutes") {
            out.group.offsets_retention_ms = minutes.saturating_mul(60_000);
        }
        if let Some(factor) = number("offsets.topic.replication.factor") {
            out.offsets_topic_replication_factor = i16::try_from(factor).ok();
        }
        out
    }
}

impl fmt::Debug for GroupsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupsConfig")
            .field("group", &self.group)
            .field("offsets_topic_partitions", &self.offsets_topic_partitions)
            .field(
                "offsets_topic_replication_factor",
                &self.offsets_topic_replication_factor,
            )
            .finish_non_exhaustive()
    }
}

fn unix_now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Millis(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}
