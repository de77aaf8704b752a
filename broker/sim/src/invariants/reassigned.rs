//! A reassignment that is over left exactly the replicas that were asked for, all of them in
//! sync; a cancelled one those from before.

use std::collections::BTreeMap;

use weir_core::cluster::{Image, Partition};
use weir_types::{BrokerId, PartitionId};

use super::Violation;

#[derive(Clone, Debug)]
struct Expected {
    before: Vec<BrokerId>,
    target: Vec<BrokerId>,
}

/// What was asked for, kept apart from what the metadata remembers of it.
#[derive(Debug, Default)]
pub struct Reassigned {
    under_way: BTreeMap<PartitionId, Expected>,
}

impl Reassigned {
    /// Partitions that are being reassigned.
    pub fn under_way(&self) -> Vec<PartitionId> {
        self.under_way.keys().copied().collect()
    }

    /// The quorum took a target for a partition that was on `now` then.
    pub fn started(&mut self, id: PartitionId, now: &[BrokerId], target: &[BrokerId]) {
        let target = target.to_vec();
        let before = match self.under_way.remove(&id) {
            Some(expected) => expected.before,
            None => now.to_vec(),
        };
        self.under_way.insert(id, Expected { before, target });
    }

    pub fn cancelled(&mut self, id: PartitionId, image: &Image) -> Result<(), Violation> {
        let expected = self.under_way.remove(&id);
        let found = image.partition(id);
        match (expected, found) {
            (Some(expected), Some(p)) if p.replicas != expected.before => {
                Err(wrong("cancelled, and not back", id, p, &expected.before))
            }
            _ => Ok(()),
        }
    }

    /// A new image was committed. Answers how many reassignments came to their end with it.
    pub fn committed(&mut self, image: &Image) -> Result<u64, Violation> {
        let over = |id: &PartitionId| !image.reassignments.contains_key(id);
        let over: Vec<_> = self.under_way.keys().copied().filter(over).collect();
        let mut completed = 0;
        for id in over {
            let (Some(expected), Some(p)) = (self.under_way.remove(&id), image.partition(id))
            else {
                continue;
            };
            let target = &expected.target;
            if p.replicas != *target {
                return Err(wrong("completed elsewhere", id, p, target));
            }
            if sorted(&expected.before) == sorted(target) {
                // Another order, or back where it came from: nobody had to catch up.
                continue;
            }
            completed += 1;
            if !target.iter().all(|b| p.isr.contains(b)) {
                return Err(wrong("completed out of sync", id, p, target));
            }
        }
        Ok(completed)
    }
}

fn sorted(of: &[BrokerId]) -> Vec<BrokerId> {
    let mut of = of.to_vec();
    of.sort_unstable();
    of
}

fn wrong(what: &str, id: PartitionId, found: &Partition, wanted: &[BrokerId]) -> Violation {
    let index = id.index;
    let detail = format!("partition {index}, {what}: {found:?}, asked for {wanted:?}");
    Violation::new("reassignments end where they should", detail)
}
