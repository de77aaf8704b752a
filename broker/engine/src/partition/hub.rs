//! What all parts of the partitions share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, broadcast, watch};
use tracing::error;
use weir_api::{Error, Result, TopicRef};
use weir_core::cluster::{Image, Partition};
use weir_storage::{DataFolder, RealDisk};
use weir_types::{LeaderEpoch, PartitionId};

use super::clock::Clock;
use super::commands::ShardCommand;
use super::follower::Followers;
use super::inbox::Inbox;
use super::leader::Sessions;
use super::shared::{Shared, Table};
use super::throttle::Throttle;
use super::upkeep::UpkeepJob;
use super::{LeaderChange, MetadataLink, PartitionMetrics, PartitionsConfig};
use crate::peer::PeerNet;

pub(super) struct Hub {
    pub(super) config: PartitionsConfig,
    pub(super) folder: Arc<DataFolder<RealDisk>>,
    pub(super) net: PeerNet,
    pub(super) metadata: Arc<dyn MetadataLink>,
    pub(super) runtime: Handle,
    pub(super) clock: Clock,
    pub(super) table: Table,
    pub(super) inboxes: Vec<Arc<Inbox<ShardCommand>>>,
    pub(super) upkeep: Arc<Inbox<UpkeepJob>>,
    pub(super) metrics: Arc<PartitionMetrics>,
    /// In units of [`super::produce::UNIT_BYTES`].
    pub(super) budget: Arc<Semaphore>,
    pub(super) followers: Followers,
    pub(super) sessions: Sessions,
    pub(super) throttle: Throttle,
    pub(super) leadership: broadcast::Sender<(PartitionId, LeaderChange)>,
    pub(super) fatal: watch::Sender<Option<String>>,
    failed: AtomicBool,
    /// True: no new writes.
    pub(super) stopping: watch::Sender<bool>,
}

impl Hub {
    pub(super) fn new(
        config: PartitionsConfig,
        folder: Arc<DataFolder<RealDisk>>,
        net: PeerNet,
        metadata: Arc<dyn MetadataLink>,
    ) -> Self {
        let units = config.budget_bytes.div_ceil(super::produce::UNIT_BYTES);
        Self {
            folder,
            net,
            metadata,
            runtime: Handle::current(),
            clock: Clock::new(),
            table: Table::default(),
            inboxes: (0..config.shards.max(1))
                .map(|_| Arc::new(Inbox::new()))
                .collect(),
            upkeep: Arc::new(Inbox::new()),
            metrics: Arc::new(PartitionMetrics::default()),
            budget: Arc::new(Semaphore::new(units)),
            followers: Followers::default(),
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            leadership: broadcast::channel(1024).0,
            fatal: watch::channel(None).0,
            failed: AtomicBool::new(false),
            stopping: watch::channel(false).0,
            config,
        }
    }

    /// Partitions of one topic are spread over the shards in turn.
    pub(super) fn shard_of(&self, id: PartitionId) -> usize {
        let (high, low) = id.topic.0.as_u64_pair();
        let index = u64::from(id.index.unsigned_abs());
        let count = self.inboxes.len() as u64;
        let shard = ((high ^ low) % count + index % count) % count;
        usize::try_from(shard).unwrap_or(0)
    }

    pub(super) fn send(&self, id: PartitionId, command: ShardCommand) {
        self.inboxes[self.shard_of(id)].push(command);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Only the first reason is kept.
    pub(super) fn fail(&self, reason: String) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            error!(%reason, "the data folder cannot be served any more");
            self.fatal.send_replace(Some(reason));
        }
    }

    pub(super) fn failure(&self) -> Option<String> {
        let failed = self.failed.load(Ordering::Acquire);
        failed.then(|| self.fatal.borrow().clone().unwrap_or_default())
    }

    pub(super) fn resolve(
        &self,
        image: &Image,
        topic: &TopicRef,
        index: i32,
    ) -> Result<PartitionId> {
        let found = match topic {
            TopicRef::Name(name) => image
                .topic_by_name(name)
                .ok_or(Error::UnknownTopicOrPartition),
            TopicRef::Id(id) => image.topics.get(id).ok_or(Error::UnknownTopicId),
        };
        let topic = found?;
        match usize::try_from(index) {
            Ok(i) if i < topic.partitions.len() => Ok(PartitionId::new(topic.id, index)),
            _ => Err(Error::UnknownTopicOrPartition),
        }
    }

    /// The replica, if this broker has it.
    pub(super) fn replica(&self, image: &Image, id: PartitionId) -> Result<Arc<Shared>> {
        self.table.get(id).ok_or_else(|| self.not_led(image, id))
    }

    /// Why a partition that exists is not served here.
    pub(super) fn not_led(&self, image: &Image, id: PartitionId) -> Error {
        if let Some(reason) = self.failure().or_else(|| self.table.why_broken(id)) {
            return Error::Storage(reason);
        }
        match image.partition(id) {
            None => Error::UnknownTopicOrPartition,
            Some(partition) => not_leader(partition),
        }
    }

    /// As `not_led`, for whoever has no image at hand.
    pub(super) fn why_not_led(&self, id: PartitionId) -> Error {
        self.not_led(&self.metadata.image(), id)
    }
}

fn not_leader(partition: &Partition) -> Error {
    match partition.leader {
        Some(leader) => Error::NotLeader {
            leader: Some(leader),
            epoch: partition.leader_epoch,
        },
        None => Error::LeaderNotAvailable,
    }
}

/// Kafka's check of the epoch that a caller believes in.
pub(super) fn check_epoch(asked: LeaderEpoch, current: LeaderEpoch) -> Result<()> {
    if asked == LeaderEpoch::NONE || asked == current {
        Ok(())
    } else if asked < current {
        Err(Error::FencedLeaderEpoch)
    } else {
        Err(Error::UnknownLeaderEpoch)
    }
}
