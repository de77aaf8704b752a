//! Replicas are moved and brokers cordoned while everything goes on.

use weir_core::cluster::{ClusterCommand, ClusterReply, Reassign};
use weir_types::{BrokerId, PartitionId};

use super::World;
use crate::invariants::Violation;

impl World {
    /// Starts, replaces or cancels a reassignment, or turns a cordon.
    pub(super) fn move_something(&mut self) -> Result<(), Violation> {
        // A disk that is lost while all other copies are moved away from is lost for good.
        if self.machines.iter().any(|m| m.awaits_new_folder) {
            return Ok(());
        }
        if self.dice.chance(150) {
            self.turn_cordon();
            return Ok(());
        }
        let under_way = self.invariants.reassigned.under_way();
        if !under_way.is_empty() && self.dice.chance(400) {
            let id = self.dice.pick(&under_way).copied();
            return id.map_or(Ok(()), |id| self.cancel_reassignment(id));
        }
        let Some(id) = self.dice.pick(&self.partitions).copied() else {
            return Ok(());
        };
        let target = self.draw_replicas();
        self.start_reassignment(id, &target);
        Ok(())
    }

    /// One to three brokers; those that are down, too: the quorum may refuse.
    fn draw_replicas(&mut self) -> Vec<BrokerId> {
        let mut left: Vec<BrokerId> = self.machines.iter().map(|m| m.id).collect();
        let count = if self.dice.chance(150) {
            self.dice.range(1, 2)
        } else {
            3
        };
        let mut drawn = Vec::new();
        for _ in 0..count {
            if !left.is_empty() {
                drawn.push(left.swap_remove(self.dice.index(left.len())));
            }
        }
        drawn
    }

    fn start_reassignment(&mut self, id: PartitionId, target: &[BrokerId]) {
        let now = self.quorum.image.partition(id).map(|p| p.replicas.clone());
        if self.reassign(id, Some(target.to_vec())) {
            let now = now.unwrap_or_default();
            self.invariants.reassigned.started(id, &now, target);
        }
    }

    fn cancel_reassignment(&mut self, id: PartitionId) -> Result<(), Violation> {
        if !self.reassign(id, None) {
            return Ok(());
        }
        self.stats.reassignments_cancelled += 1;
        let image = &self.quorum.image;
        self.invariants.reassigned.cancelled(id, image)
    }

    /// Whether the quorum took it.
    fn reassign(&mut self, partition: PartitionId, target: Option<Vec<BrokerId>>) -> bool {
        let changes = vec![Reassign { partition, target }];
        let same_factor = false;
        let outcome = self.apply(&ClusterCommand::AlterReassignments {
            changes,
            same_factor,
        });
        matches!(outcome, Ok(ClusterReply::Reassigned(results)) if results == [Ok(())])
    }

    fn turn_cordon(&mut self) {
        let Some(broker) = self.dice.pick(&self.machines).map(|m| m.id) else {
            return;
        };
        let cordoned = !self.quorum.image.is_cordoned(broker);
        self.stats.cordons += u64::from(cordoned);
        // Refused for a broker that never registered.
        let _outcome = self.apply(&ClusterCommand::SetCordon { broker, cordoned });
    }
}
