//! What pods do with what they have.

use super::{Model, Partition};

const COMMIT_S: usize = 5;

impl Model<'_> {
    pub(super) fn is_stuck(&self, worker: Option<u64>) -> bool {
        let (Some((from_s, to_s)), Some(worker)) = (self.scenario.stuck, worker) else {
            return false;
        };
        self.stuck == Some(worker) && (from_s..to_s).contains(&self.now_s)
    }

    pub(super) fn consume(&mut self) {
        if self
            .scenario
            .stuck
            .is_some_and(|(from_s, _)| from_s == self.now_s)
        {
            self.stuck = self.workers.first().map(|worker| worker.id);
        }
        let slow = match self.scenario.slow {
            Some((from_s, part)) if self.now_s >= from_s => part,
            _ => 1.0,
        };
        let mut budgets: Vec<(u64, f64)> = Vec::new();
        for at in 0..self.workers.len() {
            let noise = self.rng.between(0.9, 1.1);
            let worker = &self.workers[at];
            if worker.joined && !self.is_stuck(Some(worker.id)) {
                budgets.push((
                    worker.id,
                    self.scenario.pod_rate * slow * worker.speed * noise,
                ));
            }
        }
        for (id, budget) in &mut budgets {
            *budget = budget.min(self.waiting(*id) as f64);
        }
        let wanted: f64 = budgets.iter().map(|(_, budget)| budget).sum();
        let part = self
            .scenario
            .downstream
            .map_or(1.0, |limit| (limit / wanted.max(1.0)).min(1.0));
        for (id, budget) in budgets {
            self.consume_one(id, (budget * part) as u64);
        }
    }

    fn waiting(&self, id: u64) -> u64 {
        let own = self
            .partitions
            .iter()
            .filter(|partition| partition.owner == Some(id) && !partition.paused);
        own.map(|partition| partition.end - partition.position)
            .sum()
    }

    /// A pod takes from its partitions in turn.
    fn consume_one(&mut self, id: u64, mut budget: u64) {
        loop {
            let has_more = |partition: &&mut Partition| {
                partition.owner == Some(id)
                    && !partition.paused
                    && partition.end > partition.position
            };
            let count = self.partitions.iter_mut().filter(has_more).count() as u64;
            if count == 0 || budget == 0 {
                return;
            }
            let each = (budget / count).max(1);
            for partition in self.partitions.iter_mut().filter(has_more) {
                let taken = each.min(partition.end - partition.position).min(budget);
                partition.position += taken;
                budget -= taken;
            }
        }
    }

    pub(super) fn commit(&mut self) {
        let now_s = self.now_s;
        for worker in 0..self.workers.len() {
            let (id, joins_s) = (self.workers[worker].id, self.workers[worker].joins_s);
            if (now_s + COMMIT_S - joins_s % COMMIT_S).is_multiple_of(COMMIT_S)
                && !self.is_stuck(Some(id))
            {
                for partition in self
                    .partitions
                    .iter_mut()
                    .filter(|partition| partition.owner == Some(id))
                {
                    partition.committed = partition.position;
                }
            }
        }
    }
}
