//! What is measured on the way: rate of a pod, commit interval, start-up, pause of a rebalance.

use serde::{Deserialize, Serialize};

use crate::work::{Work, key, milli, records};
use crate::{GroupState, Member, Observation, tuning};

/// A pause between two looks longer than this says nothing about what happened in it.
const GAP_MS: u64 = 5_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Learnt {
    /// Of one pod, thousandths of a record a second; zero: not known yet.
    pub rate: u64,
    rate_samples: u32,
    commit_interval_ms: Option<u64>,
    /// The partition whose commits are timed.
    timed_key: u64,
    timed_committed: i64,
    timed_ms: u64,
    start_up_ms: Option<u64>,
    newest_pod_ms: u64,
    pause_ms: Option<u64>,
    pause_since_ms: Option<u64>,
    generation: i32,
    members: u32,
    pub stable_since_ms: u64,
}

impl Learnt {
    pub fn commit_interval_ms(&self) -> u64 {
        self.commit_interval_ms
            .unwrap_or(tuning::COMMIT_INTERVAL_MS)
    }

    pub fn start_up_ms(&self) -> u64 {
        self.start_up_ms.unwrap_or(tuning::START_UP_MS)
    }

    pub fn pause_ms(&self) -> u64 {
        self.pause_ms.unwrap_or(tuning::PAUSE_MS)
    }

    /// How long after a rebalance the figures are of the new sharing alone.
    pub fn settle_ms(&self) -> u64 {
        tuning::RATE_WINDOW_MS + 2 * self.commit_interval_ms()
    }

    pub fn is_settled(&self, at_ms: u64) -> bool {
        at_ms.saturating_sub(self.stable_since_ms) >= self.settle_ms()
    }

    pub fn observe_group(&mut self, seen: &Observation, last_seen_ms: u64) {
        let gap_ms = seen.at_ms.saturating_sub(last_seen_ms);
        let known = gap_ms <= GAP_MS;
        let members = u32::try_from(seen.members.len()).unwrap_or(u32::MAX);
        let changed = seen.generation != self.generation || members != self.members;
        if seen.group == GroupState::Rebalancing {
            self.pause_since_ms.get_or_insert(seen.at_ms);
            self.stable_since_ms = seen.at_ms;
        } else if let Some(since_ms) = self.pause_since_ms.take() {
            self.stable_since_ms = seen.at_ms;
            if known {
                let sample = seen.at_ms.saturating_sub(since_ms).min(120_000);
                self.pause_ms = Some(self.pause_ms.map_or(sample, |old| (3 * old + sample) / 4));
            }
        } else if changed {
            // Over between two looks.
            self.stable_since_ms = seen.at_ms;
            if known && seen.group == GroupState::Stable && self.members > 0 {
                let sample = gap_ms.min(1_000);
                self.pause_ms = Some(self.pause_ms.map_or(sample, |old| (3 * old + sample) / 4));
            }
        }
        (self.generation, self.members) = (seen.generation, members);
        self.observe_start_up(seen, known);
        self.observe_commits(seen, known);
    }

    fn observe_start_up(&mut self, seen: &Observation, known: bool) {
        let mapped = seen
            .members
            .iter()
            .any(|member| seen.pods.iter().any(|pod| is_of(member, &pod.ip)));
        let has_joined = |ip: &str| seen.members.iter().any(|member| is_of(member, ip));
        let newest = seen
            .pods
            .iter()
            .filter(|pod| pod.ready && !pod.terminating && (!mapped || has_joined(&pod.ip)))
            .map(|pod| pod.created_ms)
            .max();
        let Some(created_ms) = newest.filter(|created_ms| *created_ms > self.newest_pod_ms) else {
            return;
        };
        let sample = seen.at_ms.saturating_sub(created_ms);
        // Of the first pods that are seen nobody knows how long they have been ready.
        if known && self.newest_pod_ms > 0 && sample <= 600_000 {
            self.start_up_ms = Some(match self.start_up_ms {
                None => sample,
                Some(old) if sample > old => (old + sample) / 2,
                Some(old) => (3 * old + sample) / 4,
            });
        }
        self.newest_pod_ms = created_ms;
    }

    /// Times the commits on the partition with the most arrivals; the mean moves by a third at each.
    fn observe_commits(&mut self, seen: &Observation, known: bool) {
        let enough = |rate: f64| milli(rate) >= 2_000;
        let timed = seen
            .partitions
            .iter()
            .find(|partition| key(&partition.id) == self.timed_key);
        match timed
            .filter(|partition| enough(partition.arrival_rate))
            .and_then(|partition| partition.committed)
        {
            Some(committed) if committed == self.timed_committed => {}
            Some(committed) => {
                let sample = seen.at_ms.saturating_sub(self.timed_ms);
                if known && self.timed_ms > self.stable_since_ms && sample <= 60_000 {
                    let old = self.commit_interval_ms();
                    self.commit_interval_ms = Some((2 * old + sample.max(500)) / 3);
                }
                (self.timed_committed, self.timed_ms) = (committed, seen.at_ms);
            }
            None => {
                let most = seen
                    .partitions
                    .iter()
                    .filter(|partition| enough(partition.arrival_rate));
                let Some(most) = most.max_by_key(|partition| milli(partition.arrival_rate)) else {
                    return;
                };
                (self.timed_key, self.timed_committed) =
                    (key(&most.id), most.committed.unwrap_or(-1));
                // Not the moment of a commit: the first change only starts the clock.
                self.timed_ms = 0;
            }
        }
    }

    /// Learns from members that were busy for the whole time that the brokers' rates are taken over, what is at least
    /// `learn`; nothing without it. Returns how many were.
    pub fn observe_rate(
        &mut self,
        seen: &Observation,
        works: &[Work],
        elapsed_ms: u64,
        learn: Option<u64>,
    ) -> u32 {
        if seen.group != GroupState::Stable || !self.is_settled(seen.at_ms) {
            return 0;
        }
        let mut rates = busy_members(seen, works);
        rates.sort_unstable();
        let busy = u32::try_from(rates.len()).unwrap_or(u32::MAX);
        let (Some(least), false) = (learn, rates.is_empty()) else {
            return busy;
        };
        let median = rates[rates.len() / 2];
        if median < least.max(1) {
            return busy;
        }
        self.rate_samples = self.rate_samples.saturating_add(1);
        if self.rate == 0 {
            self.rate = median;
            return busy;
        }
        let sample = median.clamp(self.rate / 2, self.rate.saturating_mul(2));
        let weight = (elapsed_ms.min(GAP_MS) * 1_000 / tuning::RATE_MEMORY_MS)
            .max(1_000 / u64::from(self.rate_samples).max(1));
        let weight = weight.min(1_000);
        self.rate = ((u128::from(self.rate) * u128::from(1_000 - weight)
            + u128::from(sample) * u128::from(weight))
            / 1_000) as u64;
        self.rate = self.rate.max(1);
        busy
    }
}

/// Commit rates of the members that have a backlog now and had one when the rate window began.
fn busy_members(seen: &Observation, works: &[Work]) -> Vec<u64> {
    let index: std::collections::HashMap<_, usize> = seen
        .partitions
        .iter()
        .enumerate()
        .map(|(index, partition)| (&partition.id, index))
        .collect();
    let rate_of = |member: &Member| {
        let (mut excess, mut arrival, mut commit) = (0u64, 0u64, 0u64);
        for work in member
            .assigned
            .iter()
            .filter_map(|id| index.get(id))
            .map(|&index| &works[index])
        {
            excess = excess.saturating_add(work.excess);
            arrival = arrival.saturating_add(work.arrival);
            commit = commit.saturating_add(work.commit);
        }
        let then = excess.saturating_add(records(commit, tuning::RATE_WINDOW_MS));
        let arrived = records(arrival, tuning::RATE_WINDOW_MS);
        (excess > records(commit, 2_000) && then > arrived.saturating_add(records(commit, 2_000)))
            .then_some(commit)
    };
    seen.members
        .iter()
        .filter_map(rate_of)
        .filter(|rate| *rate > 0)
        .collect()
}

/// Whether a member connects from this pod address.
pub fn is_of(member: &Member, ip: &str) -> bool {
    !ip.is_empty() && member.host.trim_start_matches('/') == ip
}
