//! A partition's membership as an image of the metadata has it.

use weir_types::PartitionId;

use super::Membership;
use crate::cluster::{Image, Reassignment};

impl Membership {
    /// None if the image has no such partition.
    pub fn of(image: &Image, id: PartitionId) -> Option<Self> {
        let partition = image.partition(id)?;
        let registered = |b| image.brokers.get(b).filter(|broker| !broker.fenced);
        let replicas = partition.replicas.iter();
        let live: Vec<_> = replicas.filter_map(registered).collect();
        Some(Self {
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            replicas: partition.replicas.clone(),
            isr: partition.isr.clone(),
            elr: partition.elr.clone(),
            min_isr: image.partition_min_isr(id, partition),
            stopping: live.iter().filter(|b| b.stopping).map(|b| b.id).collect(),
            live: live.iter().map(|b| (b.id, b.epoch)).collect(),
            adding: image
                .reassignments
                .get(&id)
                .map_or_else(Vec::new, Reassignment::adding),
        })
    }
}
