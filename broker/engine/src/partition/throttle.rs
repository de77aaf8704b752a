//! How fast replicas that are not in sync yet may be filled (Kafka's replication quotas).
//!
//! Who fetches counts what it was given, and pauses until that is paid for: a leader that was
//! not asked sends nothing, so the leaders' limits are kept here too, each in equal shares by
//! those that fetch from it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use weir_core::cluster::{ConfigResource, Image};
use weir_types::{BrokerId, Millis, PartitionId};

const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";

/// Whose limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Limit {
    /// This broker's, over all that it fetches.
    Mine,
    /// This broker's share of a leader's.
    Leader(BrokerId),
}

/// The counts of one broker, shared by all its fetchers.
#[derive(Default)]
pub(super) struct Throttle(Mutex<HashMap<Limit, Bucket>>);

/// What of a fetched partition's bytes is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    mine: bool,
    leader: bool,
}

impl Counted {
    pub(super) fn any(self) -> bool {
        self.mine || self.leader
    }
}

/// The limits that hold for fetches of one broker from one leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    me: BrokerId,
    leader: BrokerId,
    /// Bytes a second.
    mine: Option<u64>,
    share: Option<u64>,
}

impl Limits {
    /// `None`: nothing is limited.
    pub(super) fn of(image: &Image, me: BrokerId, leader: BrokerId) -> Option<Self> {
        let mine = rate(image, me, FOLLOWER_RATE);
        let share = rate(image, leader, LEADER_RATE).map(|r| r / fetchers_of(image, leader));
        let some = mine.is_some() || share.is_some();
        some.then_some(Self {
            me,
            leader,
            mine,
            share,
        })
    }

    /// Only what a reassignment adds, or what the topic's lists name, and never what is in sync.
    pub(super) fn counted(&self, image: &Image, id: PartitionId) -> Counted {
        let Some(partition) = image.partition(id) else {
            return Counted::default();
        };
        if partition.isr.contains(&self.me) {
            return Counted::default();
        }
        let moving = image.reassignments.get(&id);
        let adding = moving.is_some_and(|r| r.adding().contains(&self.me));
        let listed = |list, broker| is_listed(image, list, id, broker);
        Counted {
            mine: self.mine.is_some() && (adding || listed(FOLLOWER_REPLICAS, self.me)),
            leader: self.share.is_some() && (adding || listed(LEADER_REPLICAS, self.leader)),
        }
    }
}

impl Throttle {
    /// Notes bytes that came.
    pub(super) fn charge(&self, limits: &Limits, now: Millis, counted: Counted, bytes: usize) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        for (limit, rate, counts) in limits.each(counted) {
            if counts {
                buckets.entry(limit).or_default().charge(now, rate, bytes);
            }
        }
    }

    /// How long until everything that came is paid for; none: more may be fetched.
    pub(super) fn pause(&self, limits: &Limits, now: Millis) -> Option<Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let both = Counted {
            mine: true,
            leader: true,
        };
        let longest = limits
            .each(both)
            .filter_map(|(limit, rate, _)| Some(buckets.get_mut(&limit)?.wait_ms(now, rate)))
            .max()?;
        (longest > 0).then(|| Duration::from_millis(longest))
    }
}

impl Limits {
    fn each(&self, counted: Counted) -> impl Iterator<Item = (Limit, u64, bool)> {
        let mine = self.mine.map(|rate| (Limit::Mine, rate, counted.mine));
        let leader = Limit::Leader(self.leader);
        let share = self.share.map(|rate| (leader, rate, counted.leader));
        mine.into_iter().chain(share)
    }
}

/// A debt that time pays off. There is no credit: an idle second is lost.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Thousandths of bytes, so that milliseconds times bytes a second is exact.
    debt: u128,
    at: Millis,
}

impl Bucket {
    fn settle(&mut self, now: Millis, rate: u64) {
        let elapsed_ms = u64::try_from(now.since(self.at)).unwrap_or(0);
        let paid = u128::from(elapsed_ms) * u128::from(rate);
        self.debt = self.debt.saturating_sub(paid);
        self.at = self.at.max(now);
    }

    fn charge(&mut self, now: Millis, rate: u64, bytes: u64) {
        self.settle(now, rate);
        self.debt = self.debt.saturating_add(u128::from(bytes) * 1000);
    }

    fn wait_ms(&mut self, now: Millis, rate: u64) -> u64 {
        self.settle(now, rate);
        if self.debt == 0 {
            return 0;
        }
        let wait = self.debt.div_ceil(u128::from(rate.max(1)));
        u64::try_from(wait).unwrap_or(u64::MAX)
    }
}

/// A broker's own setting, else the cluster's. The greatest number is Kafka's "no limit".
fn rate(image: &Image, broker: BrokerId, key: &str) -> Option<u64> {
    let set = |resource: ConfigResource| image.configs.get(&resource)?.get(key);
    let own = set(ConfigResource::Broker(broker));
    let value = own.or_else(|| set(ConfigResource::ClusterDefault))?;
    let rate: i64 = value.parse().ok()?;
    u64::try_from(rate).ok().filter(|_| rate < i64::MAX)
}

/// Brokers that are filling replicas from this leader, 1 at least.
fn fetchers_of(image: &Image, leader: BrokerId) -> u64 {
    let mut fetchers = BTreeSet::new();
    for (id, moving) in &image.reassignments {
        let Some(partition) = image.partition(*id).filter(|p| p.leader == Some(leader)) else {
            continue;
        };
        let adding = moving.adding().into_iter();
        fetchers.extend(adding.filter(|b| !partition.isr.contains(b)));
    }
    (fetchers.len() as u64).max(1)
}

/// `*`, or `partition:broker` in a list separated by commas.
fn is_listed(image: &Image, list: &str, id: PartitionId, broker: BrokerId) -> bool {
    let Some(value) = image.topic_config(id.topic, list) else {
        return false;
    };
    let wanted = (id.index, broker.0);
    value.trim() == "*"
        || value.split(',').any(|item| {
            let (partition, broker) = item.trim().split_once(':').unwrap_or_default();
            (partition.parse().ok(), broker.parse().ok()) == (Some(wanted.0), Some(wanted.1))
        })
}

#[cfg(test)]
mod tests;
