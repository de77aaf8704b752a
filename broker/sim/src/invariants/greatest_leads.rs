//! What `acks=1` was told survives the loss of all brokers, if they come back soon: of replicas that
//! all stopped uncleanly the one that holds the most is elected.

use std::collections::BTreeMap;

use weir_core::cluster::{Image, LogEnd, Partition};
use weir_types::{BrokerId, PartitionId};

use super::Violation;

#[derive(Debug, Default)]
pub struct GreatestLeads {
    /// The latest that each leader acknowledged by itself, and still has.
    acknowledged: BTreeMap<(PartitionId, BrokerId), LogEnd>,
    leaderless: BTreeMap<PartitionId, Leaderless>,
}

#[derive(Debug)]
struct Leaderless {
    /// Somebody eligible is back since then.
    back_since_us: Option<u64>,
    /// In sync all the time: these may lead without more ado.
    isr: Vec<BrokerId>,
}

impl GreatestLeads {
    pub fn acknowledged(&mut self, partition: PartitionId, by: BrokerId, at: LogEnd) {
        let known = self.acknowledged.entry((partition, by)).or_insert(at);
        *known = (*known).max(at);
    }

    /// The replica is not there any more, or not whole.
    pub fn lost(&mut self, by: BrokerId, which: impl Fn(PartitionId) -> bool) {
        self.acknowledged
            .retain(|(id, broker), _| *broker != by || !which(*id));
    }

    /// A new image was committed. `end_of` says how a log really ends, if its process is up.
    /// Answers how many partitions were led again before their patience was over.
    pub fn committed(
        &mut self,
        now_us: u64,
        patience_us: u64,
        image: &Image,
        end_of: impl Fn(BrokerId, PartitionId) -> Option<LogEnd>,
    ) -> Result<u64, Violation> {
        let mut elected = 0;
        for topic in image.topics.values() {
            for (index, partition) in (0_i32..).zip(&topic.partitions) {
                let id = PartitionId::new(topic.id, index);
                let Some(leader) = partition.leader else {
                    self.waits(now_us, id, partition, image);
                    continue;
                };
                let Some(before) = self.leaderless.remove(&id) else {
                    continue;
                };
                let waited_us = before.back_since_us.map_or(0, |since| now_us - since);
                if waited_us < patience_us && !before.isr.contains(&leader) {
                    elected += u64::from(image.unclean.contains(&leader));
                    self.check(id, leader, image, end_of(leader, id))?;
                }
            }
        }
        Ok(elected)
    }

    fn waits(&mut self, now_us: u64, id: PartitionId, partition: &Partition, image: &Image) {
        let known = self.leaderless.entry(id).or_insert(Leaderless {
            back_since_us: None,
            isr: Vec::new(),
        });
        known.isr.clone_from(&partition.isr);
        if known.back_since_us.is_none() && partition.elr.iter().any(|b| image.is_live(*b)) {
            known.back_since_us = Some(now_us);
        }
    }

    fn check(
        &self,
        id: PartitionId,
        leader: BrokerId,
        image: &Image,
        end: Option<LogEnd>,
    ) -> Result<(), Violation> {
        // One that never stopped uncleanly is not compared with others, nor is one that is down again.
        let Some(end) = end.filter(|_| image.unclean.contains(&leader)) else {
            return Ok(());
        };
        let replicas = image.partition(id).map_or(&[][..], |p| &p.replicas);
        for by in replicas {
            let Some(told) = self
                .acknowledged
                .get(&(id, *by))
                .filter(|told| **told > end)
            else {
                continue;
            };
            let detail = format!(
                "partition {}: broker {leader} is elected with {end:?}, broker {by} told acks=1 {told:?}",
                id.index
            );
            return Err(Violation::new("the greatest of all replicas leads", detail));
        }
        Ok(())
    }
}
