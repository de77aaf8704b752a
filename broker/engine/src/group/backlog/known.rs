//! What was learnt so far, and the report that it makes. Pure: time comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_api::{BacklogMember, GroupBacklog, PartitionBacklog, TopicPartitionName, WatchedGroup};
use weir_core::cluster::Image;
use weir_types::{BrokerId, PartitionId};

use super::rate::Rate;
use super::reasons::Reasons;
use super::wire::{Answer, GroupAnswer, GroupFigures, MemberFigures, PARTITIONS_MAX, Question};

/// State of a group that nobody knows, by Kafka's name.
const DEAD: &str = "Dead";

/// All that one stream of reports remembers. It holds what is watched and no more.
#[derive(Default)]
pub(super) struct Known {
    groups: BTreeMap<String, GroupKnown>,
    partitions: BTreeMap<PartitionId, PartitionKnown>,
    /// Partitions of this round.
    wanted: BTreeSet<PartitionId>,
    /// What could not be learnt in this round, and why.
    troubles: BTreeMap<PartitionId, Arc<str>>,
}

#[derive(Default)]
struct GroupKnown {
    /// When its coordinator last told.
    at_ms: Option<u64>,
    figures: GroupFigures,
    commits: BTreeMap<(String, i32), Commit>,
    trouble: Option<String>,
}

#[derive(Default)]
struct Commit {
    offset: i64,
    rate: Rate,
}

struct PartitionKnown {
    at_ms: u64,
    start: i64,
    end: i64,
    arrivals: Rate,
}

/// Whether a partition is to be asked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Now,
    /// It was in this round.
    Already,
    TooMany,
}

impl Known {
    /// A new round about these groups.
    pub fn begin(&mut self, watched: &[WatchedGroup], image: &Image) {
        let names: BTreeSet<&String> = watched.iter().map(|w| &w.group).collect();
        self.groups.retain(|name, _| names.contains(name));
        for name in names {
            self.groups.entry(name.clone()).or_default().trouble = None;
        }
        let wanted = std::mem::take(&mut self.wanted);
        self.partitions
            .retain(|id, _| wanted.contains(id) && image.partition(*id).is_some());
        self.troubles.clear();
    }

    /// Topics of a group: those asked for, or else those that it commits to, subscribes to or was
    /// assigned.
    pub fn topics_of(&self, watch: &WatchedGroup) -> BTreeSet<String> {
        if !watch.topics.is_empty() {
            return watch.topics.iter().cloned().collect();
        }
        let Some(known) = self.groups.get(&watch.group) else {
            return BTreeSet::new();
        };
        let figures = &known.figures;
        let committed = figures.committed.iter().map(|(topic, _)| topic);
        let members = figures.members.iter().flat_map(|m| {
            let assigned = m.assigned.iter().map(|(topic, _)| topic);
            assigned.chain(&m.subscribed)
        });
        committed.chain(members).cloned().collect()
    }

    pub fn want(&mut self, id: PartitionId) -> Wanted {
        if self.wanted.contains(&id) {
            return Wanted::Already;
        }
        if self.wanted.len() >= PARTITIONS_MAX {
            return Wanted::TooMany;
        }
        self.wanted.insert(id);
        Wanted::Now
    }

    pub fn trouble(&mut self, id: PartitionId, why: &Arc<str>) {
        self.troubles.insert(id, Arc::clone(why));
    }

    pub fn group_trouble(&mut self, group: &str, why: &str) {
        if let Some(known) = self.groups.get_mut(group) {
            known.trouble = Some(why.to_owned());
        }
    }

    /// Nobody has joined the group or committed to it.
    pub fn absent(&mut self, group: &str) {
        self.learn_group(None, group, GroupFigures::default());
    }

    /// What a broker answered, received at `at_ms`.
    pub fn learn(&mut self, at_ms: u64, question: &Question, answer: Answer) {
        for (group, answer) in question.groups.iter().zip(answer.groups) {
            match answer {
                GroupAnswer::Known(figures) => self.learn_group(Some(at_ms), group, figures),
                GroupAnswer::Unknown => {
                    self.learn_group(Some(at_ms), group, GroupFigures::default());
                }
                GroupAnswer::Failed(why) => self.group_trouble(group, &why),
            }
        }
        let not_led: Arc<str> = "its leader is changing".into();
        let mut bounds = answer.bounds.into_iter();
        for (topic, indexes) in &question.partitions {
            let mut bounds = bounds.next().unwrap_or_default().into_iter();
            for index in indexes {
                let id = PartitionId::new(*topic, *index);
                match bounds.next().flatten() {
                    Some((start, end)) => self.learn_partition(at_ms, id, start, end),
                    None => self.trouble(id, &not_led),
                }
            }
        }
    }

    /// A broker that did not answer a question.
    pub fn silent(&mut self, broker: BrokerId, question: &Question, why: &str) {
        let why: Arc<str> = format!("broker {broker}: {why}").into();
        for group in &question.groups {
            self.group_trouble(group, &why);
        }
        for (topic, indexes) in &question.partitions {
            for index in indexes {
                self.trouble(PartitionId::new(*topic, *index), &why);
            }
        }
    }

    fn learn_group(&mut self, at_ms: Option<u64>, group: &str, mut figures: GroupFigures) {
        let Some(known) = self.groups.get_mut(group) else {
            return;
        };
        if figures.state.is_empty() {
            DEAD.clone_into(&mut figures.state);
        }
        let mut before = std::mem::take(&mut known.commits);
        for (topic, offsets) in &figures.committed {
            for (index, offset) in offsets {
                let key = (topic.clone(), *index);
                let mut commit = before.remove(&key).unwrap_or_default();
                commit.offset = *offset;
                commit.rate.add(at_ms.unwrap_or(0), *offset);
                known.commits.insert(key, commit);
            }
        }
        known.figures = figures;
        known.at_ms = at_ms;
        known.trouble = None;
    }

    fn learn_partition(&mut self, at_ms: u64, id: PartitionId, start: i64, end: i64) {
        let known = self.partitions.entry(id).or_insert(PartitionKnown {
            at_ms,
            start,
            end,
            arrivals: Rate::default(),
        });
        (known.at_ms, known.start, known.end) = (at_ms, start, end);
        known.arrivals.add(at_ms, end);
    }

    /// The report of the groups, in this order.
    pub fn report(
        &self,
        watched: &[WatchedGroup],
        image: &Image,
        now_ms: u64,
    ) -> Vec<GroupBacklog> {
        let none = GroupKnown::default();
        let one = |watch: &WatchedGroup| {
            let known = self.groups.get(&watch.group).unwrap_or(&none);
            let mut reasons = Reasons::default();
            if let Some(why) = &known.trouble {
                reasons.add(|| format!("group {}: {why}", watch.group));
            }
            let partitions = self.partitions_of(watch, known, image, now_ms, &mut reasons);
            GroupBacklog {
                group: watch.group.clone(),
                state: known.figures.state.clone(),
                assignor: known.figures.assignor.clone(),
                generation: known.figures.generation,
                members: known.figures.members.iter().map(member).collect(),
                partitions,
                problem: reasons.told(),
            }
        };
        watched.iter().map(one).collect()
    }

    fn partitions_of(
        &self,
        watch: &WatchedGroup,
        group: &GroupKnown,
        image: &Image,
        now_ms: u64,
        reasons: &mut Reasons,
    ) -> Vec<PartitionBacklog> {
        let mut found = Vec::new();
        for name in self.topics_of(watch) {
            let Some(topic) = image.topic_by_name(&name) else {
                // Offsets of a topic that is gone are nobody's backlog; one that was asked for is
                // missed.
                if !watch.topics.is_empty() {
                    reasons.add(|| format!("there is no topic {name}"));
                }
                continue;
            };
            for (index, _) in (0..).zip(&topic.partitions) {
                let id = PartitionId::new(topic.id, index);
                if let Some(why) = self.troubles.get(&id) {
                    reasons.add(|| format!("{name}-{index}: {why}"));
                }
                if let Some(known) = self.partitions.get(&id) {
                    let partition = TopicPartitionName {
                        topic: name.clone(),
                        index,
                    };
                    found.push(backlog(partition, known, group, now_ms));
                }
            }
        }
        found
    }
}

fn backlog(
    partition: TopicPartitionName,
    known: &PartitionKnown,
    group: &GroupKnown,
    now_ms: u64,
) -> PartitionBacklog {
    let commit = group
        .commits
        .get(&(partition.topic.clone(), partition.index));
    let oldest_ms = group.at_ms.map_or(known.at_ms, |at| at.min(known.at_ms));
    PartitionBacklog {
        partition,
        committed: commit.map(|c| c.offset),
        start: known.start,
        end: known.end,
        arrival_rate: known.arrivals.per_second(),
        commit_rate: commit.map_or(0.0, |c| c.rate.per_second()),
        age_ms: i64::try_from(now_ms.saturating_sub(oldest_ms)).unwrap_or(i64::MAX),
    }
}

fn member(member: &MemberFigures) -> BacklogMember {
    let pairs = member.assigned.iter().flat_map(|(topic, indexes)| {
        indexes.iter().map(|index| TopicPartitionName {
            topic: topic.clone(),
            index: *index,
        })
    });
    BacklogMember {
        id: member.id.clone(),
        instance: member.instance.clone(),
        client_id: member.client_id.clone(),
        host: member.host.clone(),
        assigned: pairs.collect(),
        subscribed: member.subscribed.clone(),
    }
}
