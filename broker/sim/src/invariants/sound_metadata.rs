//! What the quorum commits makes sense: epochs only grow, and nobody leads or is in sync who
//! must not.

use std::collections::BTreeMap;

use weir_core::cluster::{Image, Partition};
use weir_types::{LeaderEpoch, PartitionEpoch, PartitionId};

use super::Violation;

/// The last epochs of each partition.
#[derive(Debug, Default)]
pub struct SoundMetadata {
    epochs: BTreeMap<PartitionId, (PartitionEpoch, LeaderEpoch)>,
}

impl SoundMetadata {
    /// A new image was committed.
    pub fn committed(&mut self, image: &Image) -> Result<(), Violation> {
        for topic in image.topics.values() {
            for (index, partition) in (0_i32..).zip(&topic.partitions) {
                let id = PartitionId::new(topic.id, index);
                let now = (partition.partition_epoch, partition.leader_epoch);
                let before = self.epochs.insert(id, now).unwrap_or_default();
                let goes_back = now.0 < before.0 || now.1 < before.1;
                let wrong = if goes_back {
                    Some("epochs go back")
                } else {
                    wrong_members(image, partition)
                };
                if let Some(wrong) = wrong {
                    let detail = format!("{wrong}: {partition:?}");
                    return Err(Violation::new("metadata makes sense", detail));
                }
            }
        }
        Ok(())
    }
}

fn wrong_members(image: &Image, p: &Partition) -> Option<&'static str> {
    if let Some(leader) = p.leader
        && !p.isr.contains(&leader)
    {
        return Some("the leader is not in the ISR");
    }
    if p.leader.is_some_and(|leader| !image.is_live(leader)) {
        return Some("the leader is fenced");
    }
    if p.isr.iter().any(|b| !image.is_live(*b)) {
        return Some("a member of the ISR is fenced");
    }
    if p.isr.iter().any(|b| p.elr.contains(b)) {
        return Some("ISR and ELR overlap");
    }
    let all = p.isr.iter().chain(&p.elr);
    if all.into_iter().any(|b| !p.replicas.contains(b)) {
        return Some("a member is no replica");
    }
    (p.isr.is_empty() && p.elr.is_empty()).then_some("nobody is eligible")
}
