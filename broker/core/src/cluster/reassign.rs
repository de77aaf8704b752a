//! Reassignments (KIP-455): replicas are added, catch up, take over, and only then the others go.

use weir_types::{BrokerId, PartitionId, limits};

use super::elections::{choose, set_leader, settle_elr};
use super::{ClusterError, ClusterReply, Image, Partition, Reassign, Reassignment};

type Refused = Result<(), ClusterError>;

/// Each change for itself: one that is refused changes nothing and stops no other.
pub(super) fn alter(image: &mut Image, changes: &[Reassign], same_factor: bool) -> ClusterReply {
    let mut results = Vec::with_capacity(changes.len());
    for change in changes {
        let mut next = image.clone();
        let outcome = match &change.target {
            Some(target) => start(&mut next, change.partition, target, same_factor),
            None => cancel(&mut next, change.partition),
        };
        if outcome.is_ok() {
            *image = next;
        }
        results.push(outcome);
    }
    ClusterReply::Reassigned(results)
}

/// Starts a reassignment, or gives the one under way another end.
fn start(image: &mut Image, id: PartitionId, target: &[BrokerId], same_factor: bool) -> Refused {
    let partition = known(image, id)?;
    let before = match image.reassignments.get(&id) {
        Some(moving) => moving.before.clone(),
        None => partition.replicas.clone(),
    };
    check_target(image, &partition, target)?;
    if same_factor && target.len() != before.len() {
        return Err(ClusterError::InvalidReplicationFactor(format!(
            "{} replicas where the partition has {}",
            target.len(),
            before.len()
        )));
    }
    let moving = Reassignment {
        before,
        target: target.to_vec(),
    };
    let mut next = partition.clone();
    next.replicas = moving.replicas();
    image.reassignments.insert(id, moving);
    let min_isr = image.partition_min_isr(id, &partition);
    // What the end before this one would have added, and this one does not.
    drop_gone(image, &mut next, &partition.replicas, min_isr)?;
    complete_if_ready(image, id, &mut next);
    replace_if_changed(image, id, &partition, next);
    Ok(())
}

/// Back to the replicas from before.
fn cancel(image: &mut Image, id: PartitionId) -> Refused {
    let partition = known(image, id)?;
    let moving = image
        .reassignments
        .remove(&id)
        .ok_or(ClusterError::NoReassignment(id))?;
    let mut next = partition.clone();
    next.replicas = moving.before;
    let min_isr = image.partition_min_isr(id, &next);
    drop_gone(image, &mut next, &partition.replicas, min_isr)?;
    replace_if_changed(image, id, &partition, next);
    Ok(())
}

/// Once all replicas to be are in sync, they are the partition's replicas; a leader that is none
/// of them hands over in the same step. Waits if none of them may lead now.
pub(super) fn complete_if_ready(image: &mut Image, id: PartitionId, partition: &mut Partition) {
    let Some(moving) = image.reassignments.get(&id) else {
        return;
    };
    let in_sync = moving.target.iter().all(|b| partition.isr.contains(b));
    if !in_sync && !moving.moves_nothing() {
        return;
    }
    let mut done = partition.clone();
    done.replicas.clone_from(&moving.target);
    let min_isr = image.min_isr(id.topic, done.replicas.len());
    if drop_gone(image, &mut done, &partition.replicas, min_isr).is_ok() {
        image.reassignments.remove(&id);
        *partition = done;
    }
}

/// Looks at all of them: brokers may lead that could not a moment ago.
pub(super) fn complete_ready(image: &mut Image) {
    let moving: Vec<_> = image.reassignments.keys().copied().collect();
    for id in moving {
        let Some(partition) = image.partition(id).cloned() else {
            continue;
        };
        let mut next = partition.clone();
        complete_if_ready(image, id, &mut next);
        replace_if_changed(image, id, &partition, next);
    }
}

fn replace_if_changed(image: &mut Image, id: PartitionId, old: &Partition, next: Partition) {
    if next != *old {
        image.replace_partition(id, next);
    }
}

fn known(image: &Image, id: PartitionId) -> Result<Partition, ClusterError> {
    let found = image.partition(id).cloned();
    found.ok_or(ClusterError::UnknownPartition(id))
}

/// Of those that have the partition already nothing is asked: they may come back.
fn check_target(image: &Image, partition: &Partition, target: &[BrokerId]) -> Refused {
    let refuse = |why: String| Err(ClusterError::InvalidAssignment(why));
    if target.is_empty() || target.len() > limits::REPLICAS_MAX {
        return refuse(format!("{} replicas", target.len()));
    }
    for (rank, id) in target.iter().enumerate() {
        if target[..rank].contains(id) {
            return refuse(format!("broker {id} stands twice"));
        }
        if partition.replicas.contains(id) {
            continue;
        }
        let Some(broker) = image.brokers.get(id) else {
            return refuse(format!("no broker {id} is registered"));
        };
        if broker.fenced || broker.stopping {
            return refuse(format!("broker {id} is fenced or stopping"));
        }
        if image.is_cordoned(*id) {
            return refuse(format!("broker {id} is cordoned"));
        }
    }
    Ok(())
}

/// Brings the rest in line with `partition.replicas`, some of `old` no longer being among them.
/// Leader epochs move on, so that who is gone cannot be told from the metadata of before.
fn drop_gone(
    image: &Image,
    partition: &mut Partition,
    old: &[BrokerId],
    min_isr: usize,
) -> Refused {
    let refuse = |why: &str| Err(ClusterError::InvalidAssignment(why.to_owned()));
    let replicas = partition.replicas.clone();
    let was_in_sync = !partition.isr.is_empty();
    partition.isr.retain(|b| replicas.contains(b));
    partition.elr.retain(|b| replicas.contains(b));
    settle_elr(partition, &[], min_isr);
    if old.iter().all(|b| replicas.contains(b)) {
        return Ok(());
    }
    if partition.isr.is_empty() && (was_in_sync || partition.elr.is_empty()) {
        return refuse("no replica that stays is in sync: acknowledged records would be lost");
    }
    match partition.leader {
        Some(leader) if !replicas.contains(&leader) => {
            let Some(heir) = choose(image, partition, &partition.isr) else {
                return refuse("no replica that stays can lead now");
            };
            set_leader(partition, Some(heir));
        }
        Some(_) => partition.leader_epoch.0 += 1,
        None => {}
    }
    Ok(())
}
