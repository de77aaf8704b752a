//! One life of a broker: from opening the folder to a kill, a power loss or an orderly stop.

use std::collections::BTreeMap;

use uuid::Uuid;
use weir_core::cluster::{AlterPartition, ClusterCommand, Registration};
use weir_core::replica::Membership;
use weir_storage::{DataFolder, LogConfig, Recovery};
use weir_types::{
    BrokerEpoch, BrokerId, FolderId, LeaderEpoch, Millis, Offset, PartitionEpoch, PartitionId,
};

use super::out::{Out, Sight, Timer};
use super::shard::{Ctx, Shard};
use super::{Broken, PartitionLog, SharedImage, folder_path};
use crate::disk::SimDisk;
use crate::message::{Message, Node};
use crate::options::Plant;

/// A proposal that waits for the quorum's answer.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub asked_us: u64,
    pub what: Asked,
}

#[derive(Clone, Copy, Debug)]
pub enum Asked {
    Register,
    Ends,
    Isr {
        partition: PartitionId,
        epoch: LeaderEpoch,
        base: PartitionEpoch,
    },
}

impl Pending {
    pub fn register(asked_us: u64) -> Self {
        Self {
            asked_us,
            what: Asked::Register,
        }
    }

    pub fn ends(asked_us: u64) -> Self {
        Self {
            asked_us,
            what: Asked::Ends,
        }
    }

    pub fn isr(asked_us: u64, change: &AlterPartition) -> Self {
        let what = Asked::Isr {
            partition: change.partition,
            epoch: change.leader_epoch,
            base: change.partition_epoch,
        };
        Self { asked_us, what }
    }
}

/// Everything a new process is given.
pub struct Start {
    pub id: BrokerId,
    pub disk: SimDisk,
    pub incarnation: u64,
    pub wall: Millis,
    pub plant: Plant,
    pub log_config: LogConfig,
}

/// What opening the folder found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opened {
    pub recovered: u64,
    pub torn: u64,
    pub damaged: u64,
}

pub struct Process {
    pub id: BrokerId,
    pub incarnation: u64,
    pub folder: DataFolder<SimDisk>,
    pub shards: BTreeMap<PartitionId, Shard>,
    pub image: SharedImage,
    pub epoch: Option<BrokerEpoch>,
    pub pending: BTreeMap<u64, Pending>,
    pub opened: Opened,
    clean: bool,
    /// Found damaged: served by nobody until the quorum knows, then rebuilt from the leader.
    damaged: BTreeMap<PartitionId, PartitionLog>,
    plant: Plant,
    log_config: LogConfig,
    mark_under_way: bool,
}

impl Process {
    /// Opens the folder and every log in it.
    pub fn start(start: Start) -> Result<Self, Broken> {
        let Start {
            id,
            disk,
            incarnation,
            wall,
            plant,
            log_config,
            ..
        } = start;
        let uuid = Uuid::from_u64_pair(id.0.unsigned_abs().into(), incarnation);
        let folder = DataFolder::open_with_id(disk, folder_path(), id, || FolderId(uuid))?;
        let clean = folder.was_clean();
        let mut process = Self {
            id,
            incarnation,
            shards: BTreeMap::new(),
            image: SharedImage::default(),
            epoch: None,
            pending: BTreeMap::new(),
            opened: Opened::default(),
            clean,
            damaged: BTreeMap::new(),
            plant,
            log_config,
            mark_under_way: false,
            folder,
        };
        for partition in process.folder.partitions()? {
            process.open(partition, wall)?;
        }
        Ok(process)
    }

    pub fn folder_id(&self) -> FolderId {
        self.folder.folder_id()
    }

    pub fn registration(&self) -> ClusterCommand {
        ClusterCommand::RegisterBroker(Registration {
            broker: self.id,
            folder: self.folder_id(),
            incarnation: Uuid::from_u64_pair(self.id.0.unsigned_abs().into(), self.incarnation),
            rack: None,
            peer_address: String::new(),
            listeners: Vec::new(),
            clean: self.clean,
            ineligible: self.damaged.keys().copied().collect(),
        })
    }

    /// Newer metadata; older, or from before our own registration, is ignored.
    pub fn follow(&mut self, ctx: Ctx, image: SharedImage, out: &mut Out) -> Result<(), Broken> {
        if image.version <= self.image.version {
            return Ok(());
        }
        let registered = image.brokers.get(&self.id).map(|b| b.epoch);
        let ours = self.epoch.is_some() && registered == self.epoch;
        if !ours && self.plant != Plant::LeadOldEpoch {
            return Ok(());
        }
        self.image = image;
        let image = SharedImage::clone(&self.image);
        self.drop_others(&image, out)?;
        for topic in image.topics.values() {
            for (index, partition) in (0_i32..).zip(&topic.partitions) {
                if partition.replicas.contains(&self.id) {
                    let id = PartitionId::new(topic.id, index);
                    self.follow_partition(ctx, id, out)?;
                }
            }
        }
        self.tell_log_ends(out);
        Ok(())
    }

    /// Deletes the replicas that the metadata gives to others.
    fn drop_others(&mut self, image: &SharedImage, out: &mut Out) -> Result<(), Broken> {
        let mine = |id: PartitionId| {
            let partition = image.partition(id);
            partition.is_some_and(|p| p.replicas.contains(&self.id))
        };
        let others: Vec<_> = self
            .shards
            .keys()
            .copied()
            .filter(|id| !mine(*id))
            .collect();
        for partition in others {
            if let Some(mut shard) = self.shards.remove(&partition) {
                shard.leave_role(out);
            }
            self.folder.delete_log(partition)?;
            out.saw(Sight::Dropped { partition });
        }
        Ok(())
    }

    fn follow_partition(&mut self, ctx: Ctx, id: PartitionId, out: &mut Out) -> Result<(), Broken> {
        if !self.shards.contains_key(&id) {
            self.open(id, ctx.wall)?;
        }
        let membership = Membership::of(&self.image, id);
        match (self.shards.get_mut(&id), membership) {
            (Some(shard), Some(membership)) => shard.follow_metadata(ctx, membership, out),
            _ => Ok(()),
        }
    }

    /// The quorum knows us, and what of ours is damaged: that may be emptied now.
    pub(super) fn registered(&mut self, epoch: BrokerEpoch) -> Result<(), Broken> {
        self.epoch = Some(epoch);
        for (id, mut log) in std::mem::take(&mut self.damaged) {
            log.reset(Offset::ZERO)?;
            self.shards.insert(id, Shard::new(id, log, self.id));
        }
        Ok(())
    }

    fn open(&mut self, id: PartitionId, wall: Millis) -> Result<(), Broken> {
        let (log, recovery) = self.folder.open_log(id, self.log_config.clone(), wall)?;
        self.opened.recovered += 1;
        match recovery {
            Recovery::Damaged { .. } => {
                self.opened.damaged += 1;
                self.damaged.insert(id, log);
                return Ok(());
            }
            Recovery::Recovered { cut_bytes, .. } => {
                self.opened.torn += u64::from(cut_bytes > 0);
            }
            Recovery::Created | Recovery::Clean { .. } => {}
        }
        self.shards.insert(id, Shard::new(id, log, self.id));
        Ok(())
    }

    pub fn tick(&mut self, ctx: Ctx, now_us: u64, out: &mut Out) -> Result<(), Broken> {
        for shard in self.shards.values_mut() {
            shard.tick(ctx, out)?;
        }
        self.give_up_waiting(ctx, now_us, out)?;
        if self.epoch.is_some() {
            self.tell_log_ends(out);
        }
        self.begin_mark(out);
        let seen = self.image.version;
        match self.epoch {
            Some(epoch) => {
                let beat = Message::Heartbeat {
                    broker: self.id,
                    epoch,
                    seen,
                };
                out.send(Node::Controller, beat);
            }
            None => out.later(Timer::Register),
        }
        out.later(Timer::Tick);
        Ok(())
    }

    pub fn begin_mark(&mut self, out: &mut Out) {
        let due = self.shards.values().any(Shard::has_mark);
        if due && !self.mark_under_way {
            self.mark_under_way = true;
            out.later(Timer::Mark);
        }
    }

    pub fn write_marks(&mut self) -> Result<(), Broken> {
        self.mark_under_way = false;
        let marks: Vec<_> = self
            .shards
            .values_mut()
            .filter_map(Shard::take_mark)
            .collect();
        self.folder.record_marks(&marks)?;
        Ok(())
    }

    /// The end of an orderly stop.
    pub fn close(&mut self, ctx: Ctx, out: &mut Out) -> Result<(), Broken> {
        for shard in self.shards.values_mut() {
            shard.sync_now(ctx, out)?;
        }
        self.write_marks()?;
        self.folder.mark_clean()?;
        Ok(())
    }
}
