//! What brokers in memory know, and where their replicas lie.

use std::collections::{BTreeMap, BTreeSet};

use futures::channel::mpsc;
use weir_operator::admin::{AdminError, Refusal};
use weir_operator::kafka_config::Settings;
use weir_proto::admin as pb;

use super::life::Life;

#[derive(Default)]
pub struct State {
    pub cluster_id: String,
    pub controller: i32,
    /// The latest operator; `None`: these brokers know of no epochs.
    pub heard: Option<u64>,
    pub known: BTreeSet<i32>,
    pub down: BTreeSet<i32>,
    pub fenced: BTreeSet<i32>,
    pub behind: BTreeMap<i32, u32>,
    pub blockers: Vec<pb::Blocker>,
    pub config: Settings,
    pub topics: BTreeMap<String, pb::Topic>,
    /// Calls that change something.
    pub calls: Vec<String>,
    /// Of the operator that calls.
    pub life: Life,
    /// Where replicas lie, by topic and partition.
    pub replicas: BTreeMap<(String, i32), Placed>,
    pub cordoned: BTreeSet<i32>,
    pub racks: BTreeMap<i32, String>,
    /// Brokers that may not lead until they register again.
    pub away: BTreeSet<i32>,
    /// Brokers that go on leading for a while after they were asked to stop.
    pub slow: BTreeSet<i32>,
    /// Where brokers are reached from outside, as they were told.
    pub listeners: BTreeMap<i32, Vec<pb::Listener>>,
    /// Who follows the metadata.
    pub watchers: Vec<mpsc::UnboundedSender<u64>>,
    /// Pods that are gone are not made again yet.
    pub pods_wait: bool,
    /// Partitions that reach their replicas when the world ticks; none: they never arrive.
    pub stuck: bool,
}

/// One partition's replicas.
#[derive(Clone, Default)]
pub struct Placed {
    pub replicas: Vec<i32>,
    pub adding: Vec<i32>,
    pub removing: Vec<i32>,
    pub min_isr: u32,
    pub bytes: u64,
}

impl State {
    pub fn place(&mut self, topic: &str, index: i32, replicas: &[i32]) {
        let placed = Placed {
            replicas: replicas.to_vec(),
            min_isr: if replicas.len() > 1 { 2 } else { 1 },
            bytes: 1 << 20,
            ..Placed::default()
        };
        self.replicas.insert((topic.to_owned(), index), placed);
    }

    /// Replicas of a broker, those on their way there or away counted in.
    pub fn held_by(&self, broker: i32) -> u32 {
        let on = |p: &&Placed| p.replicas.contains(&broker) || p.removing.contains(&broker);
        u32::try_from(self.replicas.values().filter(on).count()).expect("few")
    }

    /// The metadata has another version.
    pub fn tell_version(&mut self, version: u64) {
        self.watchers.retain(|w| w.unbounded_send(version).is_ok());
    }

    /// Partitions that a broker leads.
    pub fn led_by(&self, broker: i32) -> u32 {
        let described = self.replicas.iter().map(|(key, p)| self.describe(key, p));
        let led = described.filter(|p| p.leader == Some(broker)).count();
        u32::try_from(led).expect("few")
    }

    /// What is being moved arrives.
    pub fn settle(&mut self) {
        if self.stuck {
            return;
        }
        for placed in self.replicas.values_mut() {
            placed.adding.clear();
            placed.removing.clear();
        }
    }

    fn serves(&self, broker: i32) -> bool {
        !self.down.contains(&broker) && !self.fenced.contains(&broker)
    }

    pub fn describe(
        &self,
        (topic, index): &(String, i32),
        placed: &Placed,
    ) -> pb::PartitionReplicas {
        let all: Vec<i32> = placed
            .replicas
            .iter()
            .chain(&placed.removing)
            .copied()
            .collect();
        let synced = |b: &&i32| self.serves(**b) && !placed.adding.contains(b);
        let isr: Vec<i32> = all.iter().filter(synced).copied().collect();
        let leads = |b: &&i32| !self.away.contains(b) || self.slow.contains(b);
        pb::PartitionReplicas {
            topic: topic.clone(),
            index: *index,
            leader: isr.iter().find(leads).or(isr.first()).copied(),
            replicas: all,
            isr,
            adding: placed.adding.clone(),
            removing: placed.removing.clone(),
            min_isr: placed.min_isr,
            bytes: Some(placed.bytes),
            ..pb::PartitionReplicas::default()
        }
    }

    pub fn reassign(&mut self, one: &pb::Reassignment) -> Result<(), String> {
        let key = (one.topic.clone(), one.index);
        let placed = self.replicas.get_mut(&key).ok_or("no such partition")?;
        let before: Vec<i32> = placed
            .replicas
            .iter()
            .filter(|b| !placed.adding.contains(b))
            .chain(&placed.removing)
            .copied()
            .collect();
        let after = if one.cancel {
            before.clone()
        } else {
            one.replicas.clone()
        };
        let new = |b: &&i32| !before.contains(b);
        placed.adding = after.iter().filter(new).copied().collect();
        placed.removing = before
            .iter()
            .filter(|b| !after.contains(b))
            .copied()
            .collect();
        placed.replicas = after;
        Ok(())
    }
}

pub fn refused(kind: Refusal, message: &str) -> AdminError {
    let message = message.to_owned();
    AdminError::Refused { kind, message }
}

pub fn partitions(count: i32, factor: i32) -> Vec<pb::Partition> {
    let replicas: Vec<i32> = (0..factor).collect();
    (0..count)
        .map(|index| pb::Partition {
            index,
            replicas: replicas.clone(),
            isr: replicas.clone(),
            ..pb::Partition::default()
        })
        .collect()
}
