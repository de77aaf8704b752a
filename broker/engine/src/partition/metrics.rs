//! What the partitions count.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets of [`PartitionMetrics::sync_cycles`], microseconds.
pub const CYCLE_BUCKETS_US: [u64; 10] = [
    250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 64_000, 256_000, 1_000_000,
];

/// Counters and gauges; they only ever grow unless they are called gauges.
#[derive(Debug, Default)]
pub struct PartitionMetrics {
    /// As leader.
    pub appended_bytes: AtomicU64,
    pub appended_records: AtomicU64,
    pub appended_requests: AtomicU64,
    pub duplicate_requests: AtomicU64,
    /// As follower.
    pub replicated_bytes: AtomicU64,
    pub fdatasyncs: AtomicU64,
    /// One counter a bucket of [`CYCLE_BUCKETS_US`], and one for what is longer.
    pub sync_cycles: [AtomicU64; CYCLE_BUCKETS_US.len() + 1],
    pub sync_cycle_us_sum: AtomicU64,
    /// Given to consumers.
    pub fetched_bytes: AtomicU64,
    /// Of that, by replicas that do not lead (KIP-392).
    pub fetched_as_follower_bytes: AtomicU64,
    /// How often the leader sent a consumer to a replica in its rack.
    pub preferred_replicas: AtomicU64,
    /// Given to followers.
    pub follower_fetched_bytes: AtomicU64,
    /// Read to verify sealed segments again.
    pub scrubbed_bytes: AtomicU64,
    /// Replicas in which that found damage.
    pub damaged_replicas: AtomicU64,
    pub isr_shrinks: AtomicU64,
    pub isr_expands: AtomicU64,
    /// Gauge: partitions led here.
    pub leaders: AtomicI64,
    /// Gauge: replicas here.
    pub partitions: AtomicI64,
    /// Gauge: partitions led here whose ISR is smaller than their replicas.
    pub under_replicated: AtomicI64,
    /// Gauge: partitions led here whose ISR is under `min.insync.replicas`.
    pub under_min_isr: AtomicI64,
    /// Gauge: replicas here that cannot be served.
    pub broken: AtomicI64,
    /// Gauge: bytes of records that wait for their shard.
    pub queued_bytes: AtomicI64,
    /// Gauge: bytes that the data folder's volume has left.
    pub free_bytes: AtomicI64,
    /// Gauge: 1 while records are refused for want of room.
    pub full: AtomicI64,
}

impl PartitionMetrics {
    pub(super) fn cycle(&self, took: Duration, syncs: u64) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = CYCLE_BUCKETS_US.iter().position(|b| us <= *b);
        self.sync_cycles[bucket.unwrap_or(CYCLE_BUCKETS_US.len())].fetch_add(1, Ordering::Relaxed);
        self.sync_cycle_us_sum.fetch_add(us, Ordering::Relaxed);
        self.fdatasyncs.fetch_add(syncs, Ordering::Relaxed);
    }
}

pub(super) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}
