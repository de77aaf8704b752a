//! Who has which partition, and what stands still while that changes.

use super::Model;
use crate::assign::Layout;

impl Model<'_> {
    pub(super) fn join(&mut self) {
        let now_s = self.now_s;
        let mut joined = false;
        for worker in self
            .workers
            .iter_mut()
            .filter(|worker| !worker.joined && worker.joins_s <= now_s)
        {
            worker.joined = true;
            joined = true;
        }
        if joined {
            self.begin_rebalance();
        }
    }

    pub(super) fn begin_rebalance(&mut self) {
        let pause_s = if self.scenario.eager { 6 } else { 3 };
        match self.rebalance {
            Some((since_s, _)) if self.now_s <= since_s + pause_s / 2 => {}
            Some(_) => self.again = true,
            None => {
                self.rebalance = Some((self.now_s, self.now_s + pause_s));
                self.score.rebalances += 1;
            }
        }
        // What moves, or all, stands still from now on.
        let next: Vec<(Option<u64>, bool)> = self
            .owners()
            .into_iter()
            .zip(&self.partitions)
            .map(|(next, now)| (next, self.is_stuck(now.owner)))
            .collect();
        for (partition, (next, stuck)) in self.partitions.iter_mut().zip(next) {
            partition.paused = self.scenario.eager || partition.owner != next;
            if partition.paused && !stuck {
                partition.committed = partition.position;
            }
        }
    }

    pub(super) fn end_rebalance(&mut self) {
        if self
            .rebalance
            .is_none_or(|(_, until_s)| self.now_s < until_s)
        {
            return;
        }
        self.rebalance = None;
        self.share_out();
        self.generation += 1;
        if std::mem::take(&mut self.again) {
            self.begin_rebalance();
        }
    }

    pub(super) fn share_out(&mut self) {
        let owners = self.owners();
        for (partition, owner) in self.partitions.iter_mut().zip(owners) {
            if partition.owner != owner {
                partition.position = partition.committed;
            }
            partition.owner = owner;
            partition.paused = false;
        }
    }

    /// Who would have each partition with the members that there are.
    fn owners(&self) -> Vec<Option<u64>> {
        let members: Vec<u64> = self
            .workers
            .iter()
            .filter(|worker| worker.joined)
            .map(|worker| worker.id)
            .collect();
        if members.is_empty() {
            return vec![None; self.partitions.len()];
        }
        let owners = Layout::new(&self.observe(0)).owners(members.len());
        // Partitions stand in the order of assignors already.
        owners.into_iter().map(|at| Some(members[at])).collect()
    }
}
