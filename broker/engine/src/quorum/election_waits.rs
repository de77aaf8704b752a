//! How long partitions without a leader wait for more of their replicas. Pure: told the time, it
//! says what to do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use weir_core::cluster::{ClusterCommand, Image};
use weir_types::PartitionId;

/// Most partitions of one command.
const PARTITIONS_MAX: usize = 1000;

/// One controller's watch.
pub struct ElectionWaits {
    patience: Duration,
    since: BTreeMap<PartitionId, Instant>,
}

impl ElectionWaits {
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            since: BTreeMap::new(),
        }
    }

    /// Ends the waits that are over.
    pub fn judge(&mut self, image: &Image, now: Instant) -> Option<ClusterCommand> {
        self.since
            .retain(|id, _| image.awaited_ends.contains_key(id));
        for id in image.awaited_ends.keys() {
            self.since.entry(*id).or_insert(now);
        }
        let over = |since: &Instant| now.saturating_duration_since(*since) >= self.patience;
        let over = self.since.iter().filter(|(_, since)| over(since));
        let partitions: Vec<_> = over.map(|(id, _)| *id).take(PARTITIONS_MAX).collect();
        (!partitions.is_empty()).then_some(ClusterCommand::EndElectionWait { partitions })
    }
}

#[cfg(test)]
mod tests {
    use imbl::OrdMap;
    use uuid::Uuid;
    use weir_types::TopicId;

    use super::*;

    fn partition(index: i32) -> PartitionId {
        PartitionId::new(TopicId(Uuid::from_u128(7)), index)
    }

    fn waiting(indexes: &[i32]) -> Image {
        Image {
            awaited_ends: indexes
                .iter()
                .map(|i| (partition(*i), OrdMap::new()))
                .collect(),
            ..Image::default()
        }
    }

    #[test]
    fn each_partition_has_its_own_time() {
        let patience = Duration::from_secs(5);
        let mut waits = ElectionWaits::new(patience);
        let began = Instant::now();
        let mut at = |seconds, image: &Image| match waits
            .judge(image, began + Duration::from_secs(seconds))
        {
            Some(ClusterCommand::EndElectionWait { partitions }) => partitions,
            None => Vec::new(),
            Some(other) => panic!("{other:?}"),
        };
        assert_eq!(at(0, &waiting(&[1])), []);
        assert_eq!(at(4, &waiting(&[1, 2])), []);
        assert_eq!(at(5, &waiting(&[1, 2])), [partition(1)]);
        // It was elected, lost its leader again, and waits anew.
        assert_eq!(at(6, &waiting(&[2])), []);
        assert_eq!(at(9, &waiting(&[1, 2])), [partition(2)]);
        assert_eq!(at(14, &waiting(&[1, 2])), [partition(1), partition(2)]);
    }

    #[test]
    fn a_command_holds_a_bounded_number() {
        let indexes: Vec<i32> = (0..2500).collect();
        let mut waits = ElectionWaits::new(Duration::ZERO);
        match waits.judge(&waiting(&indexes), Instant::now()) {
            Some(ClusterCommand::EndElectionWait { partitions }) => {
                assert_eq!(partitions.len(), PARTITIONS_MAX);
            }
            other => panic!("{other:?}"),
        }
    }
}
