//! What may be tuned.

use std::time::Duration;
use weir_core::replica::ReplicaConfig;
use weir_types::BrokerId;

/// Sizes and intervals of the partitions of one broker.
#[derive(Clone, Debug)]
pub struct PartitionsConfig {
    pub broker: BrokerId,
    /// Threads that own partitions.
    pub shards: usize,
    /// Threads that run fdatasync.
    pub sync_threads: usize,
    /// Bytes of records that may wait for their shard; over it, `submit` waits.
    pub budget_bytes: usize,
    pub replica: ReplicaConfig,
    /// How exact timeouts are.
    pub tick: Duration,
    /// Followers: how long the leader may hold a fetch (`replica.fetch.wait.max.ms`).
    pub fetch_wait: Duration,
    /// Followers: most bytes of one fetch (`replica.fetch.response.max.bytes`).
    pub fetch_bytes_max: usize,
    /// Followers: most bytes of one partition in a fetch (`replica.fetch.max.bytes`).
    pub fetch_partition_bytes_max: usize,
    /// Leaders: how long a high watermark may wait for others before a held fetch is answered.
    pub high_watermark_delay: Duration,
    /// `log.retention.check.interval.ms`
    pub retention_check: Duration,
    /// How often compacted topics are looked at.
    pub compaction_check: Duration,
    /// Bytes a second that are read to verify sealed segments again; 0: none are.
    pub scrub_bytes_per_second: u64,
    /// How long after the start the first walk over them begins ...
    pub scrub_after: Duration,
    /// ... and the pause between two.
    pub scrub_pause: Duration,
    /// How long a write of the broker itself waits for its replicas.
    pub internal_timeout: Duration,
}

impl PartitionsConfig {
    pub fn new(broker: BrokerId) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            broker,
            shards: cores.min(4),
            sync_threads: 8,
            budget_bytes: 256 * 1024 * 1024,
            replica: ReplicaConfig::default(),
            tick: Duration::from_millis(50),
            fetch_wait: Duration::from_millis(500),
            fetch_bytes_max: 8 * 1024 * 1024,
            fetch_partition_bytes_max: 1024 * 1024,
            high_watermark_delay: Duration::from_millis(20),
            retention_check: Duration::from_secs(300),
            compaction_check: Duration::from_secs(30),
            scrub_bytes_per_second: 4 * 1024 * 1024,
            scrub_after: Duration::from_secs(60),
            scrub_pause: Duration::from_secs(24 * 60 * 60),
            internal_timeout: Duration::from_secs(10),
        }
    }
}
