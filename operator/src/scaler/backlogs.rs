//! Which groups' backlogs are wanted of which cluster, and what was reported last.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::reflector::ObjectRef;
use tokio::sync::watch;
use weir_crds::ConsumerScaler;
use weir_proto::admin as pb;

use super::news::Print;

/// Namespace and name of a cluster.
pub type ClusterKey = (String, String);
/// Namespace and name of a ConsumerScaler.
pub type ScalerKey = (String, String);

/// One for the whole operator. No lock is held while anything is waited for.
pub struct Backlogs {
    clusters: Mutex<HashMap<ClusterKey, Cluster>>,
    /// Moves with every change of what is wanted.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Cluster {
    interests: BTreeMap<ScalerKey, Interest>,
    groups: HashMap<String, Kept>,
    /// Why there are no reports now.
    problem: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Interest {
    group: String,
    topics: BTreeSet<String>,
}

struct Kept {
    report: pb::GroupBacklog,
    at: Instant,
    /// What the scalers were woken for last, and when.
    woken: Option<(Print, Instant)>,
}

/// The last report about a group.
#[derive(Clone, Debug)]
pub struct Seen {
    pub report: pb::GroupBacklog,
    /// Since it arrived here.
    pub age: Duration,
}

impl Default for Backlogs {
    fn default() -> Self {
        Self {
            clusters: Mutex::default(),
            changed: watch::channel(0).0,
        }
    }
}

impl Backlogs {
    fn lock(&self) -> MutexGuard<'_, HashMap<ClusterKey, Cluster>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A scaler wants to know about a group, and about no other.
    pub fn want(&self, cluster: &ClusterKey, scaler: &ScalerKey, group: &str, topics: &[String]) {
        let interest = Interest {
            group: group.to_owned(),
            topics: topics.iter().cloned().collect(),
        };
        let mut clusters = self.lock();
        let known = clusters.get(cluster).and_then(|c| c.interests.get(scaler));
        if known == Some(&interest) {
            return;
        }
        forget_in(&mut clusters, scaler);
        let entry = clusters.entry(cluster.clone()).or_default();
        entry.interests.insert(scaler.clone(), interest);
        drop(clusters);
        self.changed.send_modify(|version| *version += 1);
    }

    /// A scaler that is gone.
    pub fn forget(&self, scaler: &ScalerKey) {
        if forget_in(&mut self.lock(), scaler) {
            self.changed.send_modify(|version| *version += 1);
        }
    }

    /// Only these scalers are there: the others went while nobody looked.
    pub fn retain(&self, present: &BTreeSet<ScalerKey>) {
        let gone: BTreeSet<ScalerKey> = {
            let clusters = self.lock();
            let all = clusters.values().flat_map(|c| c.interests.keys());
            all.filter(|key| !present.contains(key)).cloned().collect()
        };
        gone.iter().for_each(|scaler| self.forget(scaler));
    }

    /// Changes of what is wanted.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub fn clusters(&self) -> Vec<ClusterKey> {
        self.lock().keys().cloned().collect()
    }

    /// What to ask a cluster for: each group once, with the topics of all who want it. Empty once
    /// nobody wants anything.
    pub fn wanted(&self, cluster: &ClusterKey) -> Vec<pb::GroupWatch> {
        let clusters = self.lock();
        let mut groups: BTreeMap<&str, Option<BTreeSet<&str>>> = BTreeMap::new();
        let interests = clusters.get(cluster).map(|c| c.interests.values());
        for interest in interests.into_iter().flatten() {
            let topics = groups
                .entry(&interest.group)
                .or_insert_with(|| Some(BTreeSet::new()));
            if interest.topics.is_empty() {
                *topics = None;
            } else if let Some(topics) = topics {
                topics.extend(interest.topics.iter().map(String::as_str));
            }
        }
        let watch = |(group, topics): (&str, Option<BTreeSet<&str>>)| pb::GroupWatch {
            group: group.to_owned(),
            topics: topics.into_iter().flatten().map(str::to_owned).collect(),
        };
        groups.into_iter().map(watch).collect()
    }

    /// The last report about a group.
    pub fn latest(&self, cluster: &ClusterKey, group: &str) -> Option<Seen> {
        let clusters = self.lock();
        let kept = clusters.get(cluster)?.groups.get(group)?;
        Some(Seen {
            report: kept.report.clone(),
            age: kept.at.elapsed(),
        })
    }

    /// Why a cluster reports nothing now.
    pub fn problem(&self, cluster: &ClusterKey) -> Option<String> {
        self.lock().get(cluster)?.problem.clone()
    }

    /// The stream of a cluster broke, or could not be opened.
    pub fn failed(&self, cluster: &ClusterKey, why: String) {
        if let Some(entry) = self.lock().get_mut(cluster) {
            entry.problem = Some(why);
        }
    }

    /// Keeps a report; the scalers for which it means something new.
    pub fn learn(
        &self,
        cluster: &ClusterKey,
        report: pb::BacklogReport,
    ) -> Vec<ObjectRef<ConsumerScaler>> {
        let now = Instant::now();
        let mut clusters = self.lock();
        let Some(entry) = clusters.get_mut(cluster) else {
            return Vec::new();
        };
        entry.problem = None;
        let mut news = BTreeSet::new();
        for group in report.groups {
            let woken = entry.groups.remove(&group.group).and_then(|k| k.woken);
            let print = Print::of(&group);
            let is_news = print.is_news(woken.as_ref(), now);
            if is_news {
                news.insert(group.group.clone());
            }
            let kept = Kept {
                woken: if is_news { Some((print, now)) } else { woken },
                at: now,
                report: group,
            };
            entry.groups.insert(kept.report.group.clone(), kept);
        }
        let of = |(key, interest): (&ScalerKey, &Interest)| {
            news.contains(&interest.group)
                .then(|| ObjectRef::new(&key.1).within(&key.0))
        };
        entry.interests.iter().filter_map(of).collect()
    }
}

fn forget_in(clusters: &mut HashMap<ClusterKey, Cluster>, scaler: &ScalerKey) -> bool {
    let mut changed = false;
    clusters.retain(|_, cluster| {
        if let Some(interest) = cluster.interests.remove(scaler) {
            changed = true;
            let mut others = cluster.interests.values();
            if !others.any(|i| i.group == interest.group) {
                cluster.groups.remove(&interest.group);
            }
        }
        !cluster.interests.is_empty()
    });
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> (String, String) {
        ("mq".to_owned(), name.to_owned())
    }

    fn group(name: &str, backlog: i64) -> pb::GroupBacklog {
        pb::GroupBacklog {
            group: name.to_owned(),
            state: "Stable".to_owned(),
            partitions: vec![pb::PartitionBacklog {
                backlog,
                ..pb::PartitionBacklog::default()
            }],
            ..pb::GroupBacklog::default()
        }
    }

    fn report(groups: Vec<pb::GroupBacklog>) -> pb::BacklogReport {
        pb::BacklogReport { at_ms: 0, groups }
    }

    #[test]
    fn each_group_is_asked_for_once_with_all_topics() {
        let backlogs = Backlogs::default();
        let demo = key("demo");
        backlogs.want(&demo, &key("a"), "g", &["t".to_owned()]);
        backlogs.want(&demo, &key("b"), "g", &["u".to_owned()]);
        backlogs.want(&demo, &key("c"), "h", &[]);
        let wanted = backlogs.wanted(&demo);
        let names: Vec<_> = wanted
            .iter()
            .map(|w| (w.group.as_str(), w.topics.len()))
            .collect();
        assert_eq!(names, [("g", 2), ("h", 0)]);
        backlogs.want(&demo, &key("b"), "g", &[]);
        assert!(backlogs.wanted(&demo)[0].topics.is_empty(), "all topics");
        for name in ["a", "b", "c"] {
            backlogs.forget(&key(name));
        }
        assert!(backlogs.wanted(&demo).is_empty());
        assert!(backlogs.clusters().is_empty());
    }

    #[test]
    fn a_first_report_and_a_first_message_wake_at_once() {
        let backlogs = Backlogs::default();
        let demo = key("demo");
        backlogs.want(&demo, &key("a"), "g", &[]);
        let woken = |backlog| {
            backlogs
                .learn(&demo, report(vec![group("g", backlog)]))
                .len()
        };
        assert_eq!(woken(0), 1);
        assert_eq!(woken(0), 0);
        assert_eq!(woken(1), 1, "from nothing");
        assert_eq!(woken(500), 0, "it is at work already");
        assert_eq!(
            backlogs
                .latest(&demo, "g")
                .map(|s| s.report.partitions[0].backlog),
            Some(500)
        );
    }
}
