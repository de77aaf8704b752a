//! Partitions: shards that own them, replication between brokers, and the handle for all others.
//!
//! A *shard* is a thread that owns many partitions, each of them a storage log, the core's rules
//! and whoever waits for something. Writes go through the shard's inbox; it appends, syncs many
//! logs in one cycle while the next is written, and answers. Reads run on the callers' tasks,
//! beside the writer. Followers pull: a fetcher a shard and leader, with sessions that carry only
//! what changed; what they have durably goes to the leader by itself.
//!
//! **Invariant:** only the shard changes a log, its rules and what is published of them. A replica
//! that is away for upkeep is changed by nobody else.

mod append;
mod around;
mod assign;
mod clock;
mod commands;
mod config;
mod cycle;
mod damage;
mod delete_records;
mod disk;
mod errors;
mod fetch;
mod follower;
mod hub;
mod inbox;
mod leader;
mod log_ends;
mod metadata;
mod metadata_link;
mod metrics;
mod near;
mod offsets;
mod produce;
mod recover;
mod room;
mod running;
mod scrub;
mod serving;
mod shard;
mod shared;
mod slot;
mod step;
mod sync;
#[cfg(test)]
mod tests;
mod throttle;
mod ticker;
mod ticket;
mod upkeep;
mod waits;
mod wire;

use bytes::Bytes;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use weir_api::{
    Appended, EpochEnd, FetchRequest, FetchedPartition, FoundOffset, OffsetSpec, ProduceRequest,
    Produced, Result, TopicRef,
};
use weir_storage::{DataFolder, RealDisk};
use weir_types::{LeaderEpoch, Offset, PartitionId};

pub use config::PartitionsConfig;
pub use disk::{HeldLog, Volume};
pub use metadata::log_config;
pub use metadata_link::MetadataLink;
pub use metrics::{CYCLE_BUCKETS_US, PartitionMetrics};
pub use recover::{Recovered, recover};

use crate::peer::{PeerNet, PeerRouter};
use hub::Hub;
use leader::PartitionService;
use running::Running;
use sync::SyncPool;

/// What happened to a partition of an internal topic on this broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderChange {
    /// This broker leads, and the high watermark covers all that earlier leaders acknowledged: it
    /// may be read up to [`Partitions::bounds`] and will then be complete.
    Leading(LeaderEpoch),
    NotLeading,
}

/// All partitions of this broker. Cheap to clone.
#[derive(Clone)]
pub struct Partitions {
    hub: Arc<Hub>,
    running: Arc<Mutex<Option<Running>>>,
}

impl Partitions {
    /// Starts the threads and follows the metadata. `recovered` is what [`recover`] found in the
    /// folder; its list of ineligible replicas belongs into the registration. To be called within
    /// a tokio runtime.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        config: PartitionsConfig,
        folder: Arc<DataFolder<RealDisk>>,
        recovered: Recovered,
        net: PeerNet,
        router: &PeerRouter,
        metadata: Arc<dyn MetadataLink>,
    ) -> io::Result<Self> {
        let hub = Arc::new(Hub::new(config, folder, net, metadata));
        let syncs = SyncPool::start(hub.config.sync_threads)?;
        let shard = |index| shard::start(&hub, index, syncs.queue());
        let shards = (0..hub.inboxes.len())
            .map(shard)
            .collect::<io::Result<_>>()?;
        let upkeep = vec![upkeep::start(&hub)?, scrub::start(&hub)?];
        let service = Arc::new(PartitionService {
            hub: Arc::clone(&hub),
        });
        router.register(wire::KIND_FIRST..=wire::KIND_LAST, service);
        let ineligible = recovered.ineligible.clone();
        let tasks = [
            hub.runtime
                .spawn(log_ends::tell(Arc::clone(&hub), ineligible)),
            hub.runtime
                .spawn(metadata::follow(Arc::clone(&hub), recovered)),
            hub.runtime.spawn(room::keep(Arc::clone(&hub))),
        ];
        let running = Running {
            shards,
            upkeep,
            syncs,
            tasks,
        };
        Ok(Self {
            hub,
            running: Arc::new(Mutex::new(Some(running))),
        })
    }

    /// See [`weir_api::Engine::submit`].
    pub async fn submit(&self, request: ProduceRequest) -> Produced {
        produce::submit(&self.hub, request).await
    }

    /// See [`weir_api::Engine::fetch`].
    pub async fn fetch(&self, request: FetchRequest) -> Vec<FetchedPartition> {
        fetch::fetch(&self.hub, request).await
    }

    /// See [`weir_api::Engine::find_offset`]; without transactions both isolations are alike.
    ///
    /// # Errors
    /// Not led here, an epoch that is not the current one, or not available yet (rule 4).
    pub async fn find_offset(
        &self,
        topic: &TopicRef,
        index: i32,
        leader_epoch: LeaderEpoch,
        spec: OffsetSpec,
    ) -> Result<FoundOffset> {
        offsets::find_offset(&self.hub, topic, index, leader_epoch, spec).await
    }

    /// See [`weir_api::Engine::epoch_end`].
    ///
    /// # Errors
    /// Not led here, or an epoch that is not the current one.
    pub async fn epoch_end(
        &self,
        topic: &TopicRef,
        index: i32,
        current_leader_epoch: LeaderEpoch,
        epoch: LeaderEpoch,
    ) -> Result<EpochEnd> {
        offsets::epoch_end(&self.hub, topic, index, current_leader_epoch, epoch).await
    }

    /// See [`weir_api::Engine::delete_records`].
    ///
    /// # Errors
    /// Not led here, above the high watermark, or a live replica did not follow in time.
    pub async fn delete_records(
        &self,
        topic: &TopicRef,
        index: i32,
        before: Offset,
        timeout: Duration,
    ) -> Result<Offset> {
        offsets::delete_records(&self.hub, topic, index, before, timeout).await
    }

    /// Writes record batches of the broker itself, with acks=all.
    ///
    /// # Errors
    /// As for produce; a lost leadership or a timeout leave the effect unknown.
    pub async fn append(&self, id: PartitionId, records: Bytes) -> Result<Appended> {
        produce::append(&self.hub, id, None, records).await
    }

    /// [`Self::append`] if this broker leads under exactly this epoch: for a coordinator whose
    /// state was loaded under it.
    ///
    /// # Errors
    /// As for [`Self::append`]; not led under that epoch.
    pub async fn append_in_epoch(
        &self,
        id: PartitionId,
        epoch: LeaderEpoch,
        records: Bytes,
    ) -> Result<Appended> {
        produce::append(&self.hub, id, Some(epoch), records).await
    }

    /// Whole batches from the one that holds `from` up to the high watermark, about `max_bytes`
    /// and one batch at least, with the high watermark; leader only.
    ///
    /// # Errors
    /// Not led here, or `from` is outside of the log.
    pub async fn read(
        &self,
        id: PartitionId,
        from: Offset,
        max_bytes: usize,
    ) -> Result<(Bytes, Offset)> {
        offsets::read(&self.hub, id, from, max_bytes).await
    }

    /// Log start and high watermark of a partition that this broker leads and whose high
    /// watermark it may tell (rule 4).
    pub fn bounds(&self, id: PartitionId) -> Option<(Offset, Offset)> {
        offsets::bounds(&self.hub, id)
    }

    /// What happens to partitions of internal topics from now on; see [`Self::leading`] for what
    /// has happened, also after the receiver lagged.
    pub fn leadership(&self) -> broadcast::Receiver<(PartitionId, LeaderChange)> {
        self.hub.leadership.subscribe()
    }

    /// Partitions of internal topics that this broker leads and may read in full.
    pub fn leading(&self) -> Vec<(PartitionId, LeaderEpoch)> {
        let image = self.hub.metadata.image();
        let internal = |id: PartitionId| image.topics.get(&id.topic).is_some_and(|t| t.internal);
        let all = self.hub.table.all().into_iter();
        let led = all.filter_map(|shared| match shared.serving() {
            serving::Serving::Leader(epoch) if shared.high_watermark_served() => {
                Some((shared.id, epoch))
            }
            _ => None,
        });
        led.filter(|(id, _)| internal(*id)).collect()
    }

    pub fn metrics(&self) -> Arc<PartitionMetrics> {
        produce::note_queued(&self.hub);
        Arc::clone(&self.hub.metrics)
    }

    /// Turns to a reason when the data folder can be served no more (a failed fdatasync, an IO
    /// error): the process has to end.
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.hub.fatal.subscribe()
    }
}
