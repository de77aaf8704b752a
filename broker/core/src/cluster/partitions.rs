//! ISR changes that leaders ask for (KIP-497).

use super::apply::Outcome;
use super::elections::settle_elr;
use super::{AlterPartition, ClusterError, ClusterReply, Image, Partition, reassign};
use weir_types::BrokerId;

pub(super) fn alter(image: &mut Image, change: &AlterPartition) -> Outcome {
    image.registered(change.broker, change.broker_epoch)?;
    let partition = image
        .partition(change.partition)
        .ok_or(ClusterError::UnknownPartition(change.partition))?;
    check_epochs(partition, change)?;
    check_members(image, partition, change)?;

    let mut next = partition.clone();
    let left: Vec<BrokerId> = {
        let stays = |b: &BrokerId| change.isr.iter().any(|(id, _)| id == b);
        partition
            .isr
            .iter()
            .chain(&partition.elr)
            .copied()
            .filter(|b| !stays(b))
            .collect()
    };
    next.isr = change.isr.iter().map(|(id, _)| *id).collect();
    let min_isr = image.partition_min_isr(change.partition, partition);
    settle_elr(&mut next, &left, min_isr);
    reassign::complete_if_ready(image, change.partition, &mut next);
    image.replace_partition(change.partition, next);
    let now = image
        .partition(change.partition)
        .ok_or(ClusterError::UnknownPartition(change.partition))?;
    Ok(ClusterReply::Partition(now.clone()))
}

fn check_epochs(partition: &Partition, change: &AlterPartition) -> Result<(), ClusterError> {
    if partition.leader != Some(change.broker) || partition.leader_epoch != change.leader_epoch {
        return Err(ClusterError::StaleLeaderEpoch {
            have: partition.leader_epoch,
            asked: change.leader_epoch,
        });
    }
    if partition.partition_epoch != change.partition_epoch {
        return Err(ClusterError::StalePartitionEpoch {
            have: partition.partition_epoch,
            asked: change.partition_epoch,
        });
    }
    Ok(())
}

/// Members must be replicas and, to join, live under the epoch that the leader saw. One that is
/// in the ISR already and is stopping may stay until the leader takes it out.
fn check_members(
    image: &Image,
    partition: &Partition,
    change: &AlterPartition,
) -> Result<(), ClusterError> {
    let mut seen = Vec::with_capacity(change.isr.len());
    for (id, epoch) in &change.isr {
        let broker = image
            .registered(*id, *epoch)
            .map_err(|_| ClusterError::IneligibleReplica(*id))?;
        let joins = !partition.isr.contains(id);
        let unfit = broker.fenced || (joins && broker.stopping);
        if unfit || !partition.replicas.contains(id) || seen.contains(id) {
            return Err(ClusterError::IneligibleReplica(*id));
        }
        seen.push(*id);
    }
    if seen.contains(&change.broker) {
        Ok(())
    } else {
        Err(ClusterError::IneligibleReplica(change.broker))
    }
}
