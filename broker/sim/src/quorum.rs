//! The metadata quorum, idealised: one linearizable log that applies the real state machine, and
//! the controller that keeps sessions beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_core::cluster::{ClusterCommand, ClusterError, ClusterReply, Image};
use weir_types::{BrokerEpoch, BrokerId, PartitionId};

use crate::options::Plant;

/// A broker without a heartbeat for longer is fenced.
const SESSION_US_MAX: u64 = 1_500_000;

/// How long partitions wait for more of their replicas.
pub const ELECTION_WAIT_US: u64 = 2_000_000;

#[derive(Clone, Copy, Debug)]
struct Session {
    epoch: BrokerEpoch,
    heard_us: u64,
    /// The image that has this registration.
    registered_in: u64,
}

/// Always up, never wrong; what varies is when whom its answers reach.
#[derive(Clone, Debug, Default)]
pub struct Quorum {
    pub image: Arc<Image>,
    sessions: BTreeMap<BrokerId, Session>,
    /// Since when partitions wait for answers.
    waits: BTreeMap<PartitionId, u64>,
    plant: Plant,
}

impl Quorum {
    pub fn new(plant: Plant) -> Self {
        Self {
            plant,
            ..Self::default()
        }
    }

    pub fn apply(
        &mut self,
        now_us: u64,
        command: &ClusterCommand,
    ) -> Result<ClusterReply, ClusterError> {
        let (mut image, outcome) = self.image.apply(command);
        if self.plant == Plant::SwitchUnsynced {
            switch_unsynced(&mut image);
        }
        if self.plant == Plant::ElectFirstBack {
            let partitions = image.awaited_ends.keys().copied().collect();
            image = image
                .apply(&ClusterCommand::EndElectionWait { partitions })
                .0;
        }
        self.image = Arc::new(image);
        if let (ClusterCommand::RegisterBroker(registration), Ok(ClusterReply::Registered(epoch))) =
            (command, &outcome)
        {
            self.registered(now_us, registration.broker, *epoch);
        }
        outcome
    }

    fn registered(&mut self, now_us: u64, broker: BrokerId, epoch: BrokerEpoch) {
        // The same process may register twice, when the first answer was lost.
        if self.sessions.get(&broker).is_none_or(|s| s.epoch != epoch) {
            let registered_in = self.image.version;
            let session = Session {
                epoch,
                heard_us: now_us,
                registered_in,
            };
            self.sessions.insert(broker, session);
        }
    }

    /// Unfences the broker once it has seen its own registration.
    pub fn heartbeat(&mut self, now_us: u64, broker: BrokerId, epoch: BrokerEpoch, seen: u64) {
        let Some(session) = self.sessions.get_mut(&broker).filter(|s| s.epoch == epoch) else {
            return;
        };
        session.heard_us = now_us;
        let fenced = !self.image.is_live(broker);
        if fenced && seen >= session.registered_in {
            // Refused only if the registration is not current: then there is nothing to unfence.
            let _outcome = self.apply(now_us, &ClusterCommand::Unfence { broker, epoch });
        }
    }

    /// Fences brokers that were silent for too long.
    pub fn sweep(&mut self, now_us: u64) {
        let silent: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, s)| now_us - s.heard_us > SESSION_US_MAX)
            .map(|(broker, s)| (*broker, s.epoch))
            .collect();
        for (broker, epoch) in silent {
            self.fence(now_us, broker, epoch);
        }
        self.end_waits(now_us);
    }

    /// Partitions have waited long enough for replicas that do not come back.
    fn end_waits(&mut self, now_us: u64) {
        let awaited = &self.image.awaited_ends;
        self.waits.retain(|id, _| awaited.contains_key(id));
        for id in awaited.keys() {
            self.waits.entry(*id).or_insert(now_us);
        }
        let over = self.waits.iter();
        let over = over.filter(|(_, since)| now_us - **since >= ELECTION_WAIT_US);
        let partitions: Vec<_> = over.map(|(id, _)| *id).collect();
        if !partitions.is_empty() {
            // Whoever has no replica back yet goes on waiting for one.
            let _outcome = self.apply(now_us, &ClusterCommand::EndElectionWait { partitions });
        }
    }

    /// Its connection broke, if it is still of that epoch.
    pub fn fence(&mut self, now_us: u64, broker: BrokerId, epoch: BrokerEpoch) {
        if self.image.is_live(broker) {
            // Refused for an older epoch, which is what should happen.
            let _outcome = self.apply(now_us, &ClusterCommand::Fence { broker, epoch });
        }
    }
}

/// The planted bug: those who are to have the replicas have them at once, in sync or not.
fn switch_unsynced(image: &mut Image) {
    for (id, moving) in image.reassignments.clone() {
        let live = moving.target.iter().all(|b| image.is_live(*b));
        let Some(topic) = image.topics.get_mut(&id.topic).filter(|_| live) else {
            continue;
        };
        let index = usize::try_from(id.index).unwrap_or(usize::MAX);
        if let Some(partition) = Arc::make_mut(topic).partitions.get_mut(index) {
            partition.isr.clone_from(&moving.target);
            partition.elr.clear();
            partition.leader = moving.target.first().copied();
            partition.leader_epoch.0 += 1;
            partition.partition_epoch.0 += 1;
            partition.replicas = moving.target;
        }
        image.reassignments.remove(&id);
    }
}
