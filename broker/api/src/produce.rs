use bytes::Bytes;
use std::time::Duration;
use std::{future::Future, pin::Pin};
use weir_types::Offset;

use crate::{Result, TopicRef};

/// How many replicas must have a write durably before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// None: answered once the write is in the leader's log, synced or not, or is refused. The
    /// client hears of refusals only, by the end of its connection.
    None,
    /// The leader.
    Leader,
    /// Every in-sync replica, and at least `min.insync.replicas`.
    All,
}

#[derive(Clone, Debug)]
pub struct ProduceRequest {
    pub acks: Acks,
    /// How long to wait for the replicas.
    pub timeout: Duration,
    pub transactional_id: Option<String>,
    pub partitions: Vec<ProducePartition>,
}

#[derive(Clone, Debug)]
pub struct ProducePartition {
    pub topic: TopicRef,
    pub index: i32,
    /// Record batches v2, as they came from the client; checked by the engine.
    pub records: Bytes,
}

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    /// Unix milliseconds, if the topic stamps records on append; else -1.
    pub append_time_ms: i64,
    pub log_start: Offset,
}

/// Resolves, in the order of the request's partitions, once all are acknowledged or failed.
/// Dropping it gives up the wait, not the write.
pub type Produced = Pin<Box<dyn Future<Output = Vec<Result<Appended>>> + Send + 'static>>;
