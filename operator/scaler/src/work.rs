//! What there is to do: backlog beyond the commit interval, its age, and who does not move.

use serde::{Deserialize, Serialize};

use crate::{NoCommit, Observation, PartitionBacklog, Spec, TopicPartition, tuning};

/// Most partitions that are watched for silence at once; a bound on [`crate::Memory`].
const SUSPECTS_MAX: usize = 16;

/// Of one partition, by its index in [`Observation::partitions`]. Rates are thousandths of a record a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    pub backlog: u64,
    /// Beyond what arrives between two commits.
    pub excess: u64,
    pub arrival: u64,
    pub commit: u64,
    /// Holds records and nothing was committed, and `noCommit` is `Hold`.
    pub unknown: bool,
}

impl Work {
    pub fn observe(spec: &Spec, seen: &PartitionBacklog, commit_interval_ms: u64) -> Self {
        let held = positive(seen.end, seen.start);
        let arrival = milli(seen.arrival_rate);
        let (backlog, unknown) = match (seen.committed, spec.no_commit) {
            (Some(committed), _) => (positive(seen.end, committed.max(seen.start)), false),
            (None, NoCommit::Earliest) => (held, false),
            (None, NoCommit::Latest) => (0, false),
            (None, NoCommit::Hold) => (0, held > 0),
        };
        let between_commits = records(arrival, commit_interval_ms + tuning::REPORT_DELAY_MS);
        Self {
            backlog,
            excess: backlog.saturating_sub(between_commits),
            arrival,
            commit: milli(seen.commit_rate),
            unknown,
        }
    }

    pub fn is_any(&self) -> bool {
        self.backlog > 0 || self.arrival > 0
    }
}

/// Thousandths a second; what is no number is zero.
pub fn milli(rate: f64) -> u64 {
    // A cast from a float saturates, and makes zero of what is no number.
    (rate * 1_000.0).round() as u64
}

/// Records that a rate brings in a time, rounded up.
pub fn records(rate_milli: u64, time_ms: u64) -> u64 {
    rate_milli.saturating_mul(time_ms).div_ceil(1_000_000)
}

fn positive(end: i64, from: i64) -> u64 {
    end.saturating_sub(from).max(0).unsigned_abs()
}

/// A short name of a partition for [`crate::Memory`]: FNV-1a of topic and number.
pub fn key(id: &TopicPartition) -> u64 {
    let number = id.partition.to_be_bytes();
    fnv(id.topic.bytes().chain(number))
}

fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// How old the backlog is. Its deadline is fixed when it appears: dividing by all of `drainWithin` again at each look
/// would leave 37 % at the deadline. Once all that was there at some later moment is committed, what is left
/// is no older than that moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Age {
    /// No record of the backlog is older.
    pub since_ms: Option<u64>,
    /// A later moment, and the sum of all ends at it.
    mark_ms: u64,
    mark_ends: i64,
}

impl Age {
    /// `significant`: the least excess that counts as a backlog, records.
    pub fn observe(&mut self, seen: &Observation, works: &[Work], significant: u64) {
        let excess: u64 = works.iter().map(|work| work.excess).sum();
        let ends = sum(seen.partitions.iter().map(|partition| partition.end));
        let committed = sum(seen.partitions.iter().map(|partition| {
            partition
                .committed
                .unwrap_or(partition.start)
                .max(partition.start)
                .min(partition.end)
        }));
        match self.since_ms {
            None if excess >= significant => {
                *self = Self {
                    since_ms: Some(seen.at_ms),
                    mark_ms: seen.at_ms,
                    mark_ends: ends,
                };
            }
            None => {}
            Some(_) if excess.saturating_mul(4) < significant => *self = Self::default(),
            Some(_)
                if committed >= self.mark_ends && self.arrived_since_mark(seen.at_ms, works) =>
            {
                self.since_ms = Some(self.mark_ms);
                (self.mark_ms, self.mark_ends) = (seen.at_ms, ends);
            }
            Some(_) => {}
        }
    }

    /// One slow partition may be behind while the sum is not: whether each backlog can be younger than the mark.
    fn arrived_since_mark(&self, at_ms: u64, works: &[Work]) -> bool {
        let elapsed_ms = at_ms.saturating_sub(self.mark_ms);
        works
            .iter()
            .all(|work| work.excess <= records(work.arrival, elapsed_ms))
    }
}

fn sum(offsets: impl Iterator<Item = i64>) -> i64 {
    offsets.fold(0, i64::saturating_add)
}

/// Who has a backlog and does not move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Silence {
    suspects: Vec<Suspect>,
    /// Since when nothing at all is committed although members have a backlog.
    pub group_since_ms: Option<u64>,
    /// What did not change, and since when.
    residue: u64,
    residue_since_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Suspect {
    key: u64,
    committed: i64,
    since_ms: u64,
    /// Stays so through rebalances, until something is committed.
    stuck: bool,
}

/// Partitions that do not move while others do, by their index in the observation; the largest backlog first.
#[derive(Clone, Debug, Default)]
pub struct Silent {
    /// For long.
    pub stuck: Vec<usize>,
    /// For as long as brokers take their rates over: no reason for more pods yet.
    pub quiet: Vec<usize>,
}

impl Silence {
    pub fn observe_silent(
        &mut self,
        seen: &Observation,
        works: &[Work],
        stable_since_ms: u64,
        after_ms: u64,
    ) -> Silent {
        let assigned = seen.members.iter().flat_map(|member| &member.assigned);
        let mut assigned: Vec<u64> = assigned.map(key).collect();
        assigned.sort_unstable();
        let others_commit = works.iter().any(|work| work.commit > 0);
        let mut silent: Vec<(usize, Suspect)> = Vec::new();
        for (index, (partition, work)) in seen.partitions.iter().zip(works).enumerate() {
            let key = key(&partition.id);
            if work.excess == 0 || work.commit > 0 || assigned.binary_search(&key).is_err() {
                continue;
            }
            let committed = partition.committed.unwrap_or(-1);
            let known = self
                .suspects
                .iter()
                .find(|suspect| suspect.key == key && suspect.committed == committed);
            let since_ms = known
                .map_or(seen.at_ms, |suspect| suspect.since_ms)
                .max(stable_since_ms);
            let long = others_commit && seen.at_ms.saturating_sub(since_ms) >= after_ms;
            let stuck = long || known.is_some_and(|suspect| suspect.stuck);
            silent.push((
                index,
                Suspect {
                    key,
                    committed,
                    since_ms,
                    stuck,
                },
            ));
        }
        silent.sort_by_key(|(index, _)| (std::cmp::Reverse(works[*index].backlog), *index));
        silent.truncate(SUSPECTS_MAX);
        self.suspects = silent.iter().map(|(_, suspect)| *suspect).collect();
        let of = |stuck: bool| {
            silent
                .iter()
                .filter(|(_, suspect)| others_commit && suspect.stuck == stuck)
                .map(|(index, _)| *index)
                .collect()
        };
        Silent {
            stuck: of(true),
            quiet: of(false),
        }
    }

    /// For how long nothing at all was committed by a group with members and a backlog, milliseconds.
    pub fn observe_group(
        &mut self,
        seen: &Observation,
        works: &[Work],
        stable_since_ms: u64,
    ) -> u64 {
        let quiet =
            works.iter().all(|work| work.commit == 0) && works.iter().any(|work| work.excess > 0);
        if !quiet || seen.members.is_empty() {
            self.group_since_ms = None;
            return 0;
        }
        let since_ms = *self.group_since_ms.get_or_insert(seen.at_ms);
        seen.at_ms.saturating_sub(since_ms.max(stable_since_ms))
    }

    /// For how long the whole group has stood still at the end of its logs: nothing arrives, nothing is committed,
    /// and yet a difference is left. Milliseconds.
    pub fn observe_residue(&mut self, seen: &Observation, works: &[Work]) -> u64 {
        let still = works
            .iter()
            .all(|work| work.arrival == 0 && work.commit == 0);
        if !still || works.iter().all(|work| work.backlog == 0) {
            (self.residue, self.residue_since_ms) = (0, seen.at_ms);
            return 0;
        }
        let offsets = seen.partitions.iter().flat_map(|partition| {
            [
                key(&partition.id),
                partition.end.cast_unsigned(),
                partition.committed.unwrap_or(-1).cast_unsigned(),
            ]
        });
        let print = fnv(offsets.flat_map(u64::to_be_bytes));
        if print != self.residue {
            (self.residue, self.residue_since_ms) = (print, seen.at_ms);
        }
        seen.at_ms.saturating_sub(self.residue_since_ms)
    }
}
