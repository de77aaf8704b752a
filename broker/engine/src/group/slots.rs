use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use weir_api::{Error, Result};
use weir_core::cluster::Image;
use weir_types::{BrokerId, PartitionId};

use super::coordinator::{self, Command, Handle};
use super::topic::OFFSETS_TOPIC;
use super::{GroupsConfig, OffsetsLog};

/// The coordinators that run here, by partition of the offsets topic.
#[derive(Default)]
pub(super) struct Slots {
    running: Mutex<BTreeMap<PartitionId, Handle>>,
}

impl Slots {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PartitionId, Handle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue of the coordinator of this partition.
    pub fn find(&self, partition: PartitionId) -> Result<mpsc::Sender<Command>> {
        let running = self.lock();
        let handle = running.get(&partition).ok_or(Error::NotCoordinator)?;
        if handle.loaded.load(Ordering::Acquire) {
            Ok(handle.commands.clone())
        } else {
            Err(Error::CoordinatorLoading)
        }
    }

    /// The queues of all that run; `CoordinatorLoading` while one of them loads.
    pub fn all(&self) -> Result<Vec<mpsc::Sender<Command>>> {
        let partitions: Vec<PartitionId> = self.lock().keys().copied().collect();
        let queue = |p| match self.find(p) {
            Err(Error::NotCoordinator) => None,
            other => Some(other),
        };
        partitions.into_iter().filter_map(queue).collect()
    }

    /// Stops those that the image takes away, or whose epoch is over, and starts those it gives.
    pub fn follow(
        &self,
        image: &Image,
        broker: BrokerId,
        log: &Arc<dyn OffsetsLog>,
        config: &Arc<GroupsConfig>,
        tasks: &mut JoinSet<()>,
    ) {
        let mut led = BTreeMap::new();
        if let Some(topic) = image.topic_by_name(OFFSETS_TOPIC) {
            for (index, partition) in (0..).zip(&topic.partitions) {
                if partition.leader == Some(broker) {
                    led.insert(PartitionId::new(topic.id, index), partition.leader_epoch);
                }
            }
        }
        let mut running = self.lock();
        running.retain(|partition, handle| {
            // A task that ended by itself has failed; it is started anew.
            led.get(partition) == Some(&handle.epoch) && !handle.commands.is_closed()
        });
        for (partition, epoch) in led {
            running.entry(partition).or_insert_with(|| {
                let (handle, task) =
                    coordinator::start(partition, epoch, Arc::clone(log), Arc::clone(config));
                tasks.spawn(task);
                handle
            });
        }
    }

    /// Tells every coordinator that topics are gone. Those that are loading or behind are told
    /// later by the caller, who gets their partitions back.
    pub fn topics_deleted(
        &self,
        names: &Arc<[String]>,
        only: Option<&BTreeSet<PartitionId>>,
    ) -> BTreeSet<PartitionId> {
        let running = self.lock();
        let mut left = BTreeSet::new();
        for (partition, handle) in running.iter() {
            if only.is_some_and(|o| !o.contains(partition)) {
                continue;
            }
            let command = Command::TopicsDeleted {
                names: Arc::clone(names),
            };
            let loaded = handle.loaded.load(Ordering::Acquire);
            if !loaded || handle.commands.try_send(command).is_err() {
                left.insert(*partition);
            }
        }
        left
    }

    pub fn clear(&self) {
        self.lock().clear();
    }
}
