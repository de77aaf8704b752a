//! What travels between brokers, clients and the controller.

use std::sync::Arc;

use bytes::Bytes;
use weir_core::cluster::{ClusterCommand, ClusterError, ClusterReply, Image};
use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionId};

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    Broker(BrokerId),
    Controller,
    Producer(usize),
    Consumer(usize),
}

#[derive(Clone, Debug)]
pub enum Message {
    /// Clients.
    Produce(Produce),
    Produced {
        request: u64,
        result: Result<(LeaderEpoch, Offset), Refusal>,
    },
    Consume(Consume),
    DeleteRecords {
        partition: PartitionId,
        below: Offset,
    },
    Consumed {
        request: u64,
        result: Result<Chunk, Refusal>,
    },
    /// Replication.
    Fetch(Fetch),
    Fetched {
        partition: PartitionId,
        correlation: u64,
        answer: FetchAnswer,
    },
    Durable(DurableReport),
    /// Metadata.
    Heartbeat {
        broker: BrokerId,
        epoch: BrokerEpoch,
        seen: u64,
    },
    Propose {
        tag: u64,
        from: BrokerId,
        command: Box<ClusterCommand>,
    },
    Proposed {
        tag: u64,
        result: Box<Result<ClusterReply, ClusterError>>,
    },
    Metadata(Arc<Image>),
}

#[derive(Clone, Debug)]
pub struct Produce {
    pub request: u64,
    pub partition: PartitionId,
    pub acks_all: bool,
    pub records: Bytes,
}

#[derive(Clone, Copy, Debug)]
pub struct Consume {
    pub request: u64,
    pub partition: PartitionId,
    pub from: Offset,
}

/// Records below the high watermark.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub epoch: LeaderEpoch,
    pub high_watermark: Offset,
    pub records: Bytes,
}

/// Why a client's request failed; all but the last two are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotLeader,
    NotEnoughReplicas,
    /// Rule 4: the high watermark is not served yet.
    NotServed,
    StorageFull,
    /// With the log's start.
    OutOfRange(Offset),
    /// What comes before in the producer's sequence is not there, says the leader of this epoch.
    OutOfOrder(LeaderEpoch),
    Other(String),
}

/// A follower asks for what comes after its log.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    pub correlation: u64,
    pub partition: PartitionId,
    pub epoch: LeaderEpoch,
    pub follower: BrokerId,
    pub broker_epoch: BrokerEpoch,
    pub offset: Offset,
    /// Epoch of the follower's last batch.
    pub last_epoch: LeaderEpoch,
}

#[derive(Clone, Debug)]
pub enum FetchAnswer {
    Records {
        epoch: LeaderEpoch,
        high_watermark: Offset,
        log_start: Offset,
        records: Bytes,
    },
    /// The leader's largest epoch up to the follower's last, and its end (KIP-595).
    Diverging {
        leader_epoch: LeaderEpoch,
        epoch: LeaderEpoch,
        end: Offset,
    },
    /// The follower's end is below the leader's log.
    BelowStart { start: Offset },
    /// Not the leader of that epoch (yet, or any more).
    Refused,
}

#[derive(Clone, Copy, Debug)]
pub struct DurableReport {
    pub partition: PartitionId,
    pub epoch: LeaderEpoch,
    pub follower: BrokerId,
    pub broker_epoch: BrokerEpoch,
    pub durable_end: Offset,
}
