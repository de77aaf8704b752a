//! The smallest count that is enough.

use crate::assign::Layout;
use crate::down::Candidate;
use crate::work::{Work, records};

/// What has to be done, and by when.
pub struct Need<'a> {
    pub layout: &'a Layout,
    /// By the index in the observation; what is left out on purpose (stuck) is zero.
    pub works: &'a [Work],
    /// What one pod does, thousandths of a record a second; above zero.
    pub rate: u64,
    /// Pods that are there or on their way.
    pub replicas: u32,
    /// To divide the backlog by, for pods that are there.
    pub window_ms: u64,
    /// The same less the start-up, for a larger count.
    pub window_started_ms: u64,
    /// Until pods that are asked for now take part.
    pub start_up_ms: u64,
    /// At least one.
    pub cap: u32,
}

/// The loads of the pods of a group of one size, in thousandths of a record a second.
struct Loads {
    busiest: u64,
    /// What is over the limit, of all pods.
    unserved: u64,
}

impl Need<'_> {
    /// The load of the busiest pod of a group of `count`.
    pub fn busiest(&self, count: u32) -> u64 {
        self.loads(count, u64::MAX, count > self.replicas).busiest
    }

    /// The smallest count, of those that change the busiest pod's share of partitions, at which the busiest pod has
    /// at most `per_cent` of what it can do. Where none is: the smallest that leaves hardly more undone than the
    /// largest useful one, and `false`.
    pub fn smallest(&self, per_cent: u64) -> (u32, bool) {
        let limit = self.rate.saturating_mul(per_cent) / 100;
        let mut undone: Vec<(u32, u64)> = Vec::new();
        let mut share = usize::MAX;
        for count in 1..=self.cap.max(1) {
            let now = self.layout.share(count as usize);
            if now >= share && count > 1 {
                continue;
            }
            share = now;
            if self.loads(count, limit, count > self.replicas).busiest <= limit {
                return (count, true);
            }
            // Compared with one another, all have the same time.
            undone.push((count, self.loads(count, limit, false).unserved));
        }
        let least = undone
            .iter()
            .map(|(_, unserved)| *unserved)
            .min()
            .unwrap_or(0);
        let hardly_more = least.saturating_add(self.rate / 20);
        let count = undone
            .iter()
            .find(|(_, unserved)| *unserved <= hardly_more)
            .map_or(1, |(count, _)| *count);
        (count, false)
    }

    /// The partition that alone is too much for a pod, by its index in the observation.
    pub fn too_hot(&self, per_cent: u64) -> Option<usize> {
        let limit = self.rate.saturating_mul(per_cent) / 100;
        let loads = self.of_partitions(true);
        let (index, load) = loads
            .into_iter()
            .enumerate()
            .max_by_key(|(index, load)| (*load, std::cmp::Reverse(*index)))?;
        (load > limit).then_some(index)
    }

    /// The counts below `replicas` that change the busiest pod's share of partitions, ascending, each with what its
    /// busiest pod would have to do.
    pub fn fewer(&self, least: u32) -> Vec<Candidate> {
        let arrivals: Vec<u64> = self.works.iter().map(|work| work.arrival).collect();
        let excess: Vec<u64> = self.works.iter().map(|work| work.excess).collect();
        let busiest = |count: u32, of: &[u64]| {
            let loads = self.layout.loads(count as usize, of);
            loads.into_iter().max().unwrap_or(0)
        };
        let mut share = usize::MAX;
        let mut candidates = Vec::new();
        for count in least.max(1)..self.replicas {
            let now = self.layout.share(count as usize);
            if now >= share {
                continue;
            }
            share = now;
            let behind = busiest(count, &excess).saturating_mul(1_000_000);
            candidates.push(Candidate {
                count,
                load: busiest(count, &arrivals).saturating_mul(1_000) / self.rate,
                behind_ms: behind / self.rate,
            });
        }
        candidates
    }

    /// Whether what arrives at the busiest pod of a group of `count` is at most `per_cent` of what it can do.
    pub fn arrives_within(&self, count: u32, per_cent: u64) -> bool {
        let arrivals: Vec<u64> = self.works.iter().map(|work| work.arrival).collect();
        let loads = self.layout.loads(count.max(1) as usize, &arrivals);
        let busiest = loads.into_iter().max().unwrap_or(0);
        busiest.saturating_mul(100) <= self.rate.saturating_mul(per_cent)
    }

    /// How far behind the busiest pod will be, milliseconds of its work, when pods that are asked for now take part.
    pub fn behind_started_ms(&self) -> u64 {
        let count = self.replicas.max(1) as usize;
        let excess: Vec<u64> = self.works.iter().map(|work| work.excess).collect();
        let arrivals: Vec<u64> = self.works.iter().map(|work| work.arrival).collect();
        let of = |(excess, arrival): (u64, u64)| {
            let grown = records(arrival.saturating_sub(self.rate), self.start_up_ms);
            excess.saturating_add(grown).saturating_mul(1_000_000) / self.rate
        };
        self.layout
            .loads(count, &excess)
            .into_iter()
            .zip(self.layout.loads(count, &arrivals))
            .map(of)
            .max()
            .unwrap_or(0)
    }

    fn loads(&self, count: u32, limit: u64, later: bool) -> Loads {
        let pods = self
            .layout
            .loads(count.max(1) as usize, &self.of_partitions(later));
        Loads {
            busiest: pods.iter().copied().max().unwrap_or(0),
            unserved: pods
                .iter()
                .map(|load| load.saturating_sub(limit))
                .fold(0, u64::saturating_add),
        }
    }

    /// Arrivals, and the backlog in the time that is left. Pods that are not there yet come later, and meet what has
    /// piled up until then.
    fn of_partitions(&self, later: bool) -> Vec<u64> {
        let window_ms = if later {
            self.window_started_ms
        } else {
            self.window_ms
        };
        let load = |work: &Work| {
            let mut excess = work.excess;
            if later && excess > 0 {
                excess = excess.saturating_add(records(
                    work.arrival.saturating_sub(work.commit),
                    self.start_up_ms,
                ));
            }
            let drain = excess.saturating_mul(1_000_000) / window_ms.max(1);
            work.arrival.saturating_add(drain)
        };
        self.works.iter().map(load).collect()
    }
}
