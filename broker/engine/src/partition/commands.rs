//! What a shard is asked to do.

use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use weir_api::{Acks, Error, Result};
use weir_core::cluster::LogEnd;
use weir_core::replica::{Event, Membership};
use weir_storage::{Log, LogConfig, RealDisk};
use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, Millis, Offset, PartitionId};

use super::leader::Verdict;
use super::slot::Slot;
use super::sync::FinishedCycle;
use super::ticket::Ticket;
use super::wire;

pub(super) enum ShardCommand {
    Append(Append),
    /// The metadata gives this broker a replica, or changed something about it.
    Assign(Box<Assignment>),
    /// The topic is gone, or the replica is somebody else's now: delete the data.
    Unassign(PartitionId),
    CycleDone(FinishedCycle),
    /// The quorum answered a proposal.
    Decided(PartitionId, Event),
    /// Leader: followers tell where they are.
    Positions(Box<Positions>),
    /// Leader: followers tell what is durable with them.
    Reports(BrokerId, BrokerEpoch, Vec<wire::Report>),
    /// Follower: what a leader answered.
    Fetched(Box<Fetched>),
    Ask(PartitionId, Question),
    /// A replica comes back from the upkeep thread.
    Returned(Box<Slot>),
    /// The scrubber thinks that the segment which starts there is damaged.
    Doubt(PartitionId, Offset),
    /// The quorum would not let a damaged replica go: there is no other in sync.
    Kept(PartitionId),
    /// Logs were deleted; there may be a new assignment by now.
    Deleted(PartitionId),
    /// Sync everything, answer, end.
    Stop(oneshot::Sender<()>),
}

pub(super) struct Append {
    pub(super) partition: PartitionId,
    pub(super) records: Bytes,
    pub(super) acks: Acks,
    /// Refused under any other leader epoch.
    pub(super) only_in: Option<LeaderEpoch>,
    /// When the wait for replicas ends, monotonic.
    pub(super) deadline: Millis,
    pub(super) ticket: Ticket,
    /// Part of the broker's byte budget, given back once the records are in the log.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

pub(super) struct Assignment {
    pub(super) partition: PartitionId,
    pub(super) internal: bool,
    pub(super) membership: Membership,
    pub(super) config: Arc<LogConfig>,
    /// Opened when the broker started.
    pub(super) opened: Option<Log<RealDisk>>,
}

pub(super) struct Positions {
    pub(super) follower: BrokerId,
    pub(super) epoch: BrokerEpoch,
    pub(super) items: Vec<Position>,
    /// Answered with one verdict an item, in order.
    pub(super) reply: Option<oneshot::Sender<Vec<Verdict>>>,
}

pub(super) struct Position {
    pub(super) change: wire::Change,
    /// Whether the logs have to be compared; if not, the follower goes on from where it was sent.
    pub(super) compare: bool,
}

pub(super) struct Fetched {
    pub(super) leader: BrokerId,
    pub(super) items: Vec<FetchedItem>,
    pub(super) reply: oneshot::Sender<Vec<(PartitionId, AfterFetch)>>,
}

pub(super) struct FetchedItem {
    pub(super) partition: PartitionId,
    pub(super) epoch: LeaderEpoch,
    pub(super) outcome: FetchOutcome,
}

pub(super) enum FetchOutcome {
    Records {
        bytes: Bytes,
        high_watermark: Offset,
        log_start: Offset,
    },
    Diverging {
        epoch: LeaderEpoch,
        end: Offset,
    },
    OutOfRange {
        log_start: Offset,
    },
}

/// How a fetcher goes on with a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AfterFetch {
    /// Nothing changed.
    Same,
    From(FetchPosition),
    /// From here, after a pause.
    Later(FetchPosition),
    /// The same as before, after a pause.
    Again,
    /// Not followed any more under that epoch.
    Drop,
}

/// Where a follower stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FetchPosition {
    pub(super) epoch: LeaderEpoch,
    pub(super) offset: Offset,
    pub(super) last_epoch: LeaderEpoch,
    pub(super) log_start: Offset,
}

/// What needs the log's one writer.
pub(super) enum Question {
    EpochEnd {
        current: LeaderEpoch,
        epoch: LeaderEpoch,
        reply: oneshot::Sender<Result<Option<(LeaderEpoch, Offset)>>>,
    },
    /// Leader: which of these followers is furthest caught up and can serve `offset`.
    Furthest {
        among: Vec<BrokerId>,
        offset: Offset,
        reply: oneshot::Sender<Result<Option<BrokerId>>>,
    },
    /// How the log ends, if the partition has no leader in this epoch; else no answer.
    LogEnd {
        epoch: LeaderEpoch,
        reply: oneshot::Sender<Option<LogEnd>>,
    },
    DeleteRecords {
        before: Offset,
        deadline: Millis,
        reply: oneshot::Sender<Result<Offset>>,
    },
}

impl Question {
    pub(super) fn fail(self, error: Error) {
        // Whoever asked may be gone.
        match self {
            Self::EpochEnd { reply, .. } => drop(reply.send(Err(error))),
            Self::Furthest { reply, .. } => drop(reply.send(Err(error))),
            // Asked again.
            Self::LogEnd { reply, .. } => drop(reply),
            Self::DeleteRecords { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}
