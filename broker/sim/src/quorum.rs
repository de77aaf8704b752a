//! The metadata quorum, idealised: one linearizable log that applies the real state machine, and
//! the controller that keeps sessions beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_core::cluster::{ClusterCommand, ClusterError, ClusterReply, Image};
use weir_types::{BrokerEpoch, BrokerId};

/// A broker without a heartbeat for longer is fenced.
const SESSION_US_MAX: u64 = 1_500_000;

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
}

impl Quorum {
    pub fn apply(
        &mut self,
        now_us: u64,
        command: &ClusterCommand,
    ) -> Result<ClusterReply, ClusterError> {
        let (image, outcome) = self.image.apply(command);
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
    }

    /// Its connection broke, if it is still of that epoch.
    pub fn fence(&mut self, now_us: u64, broker: BrokerId, epoch: BrokerEpoch) {
        if self.image.is_live(broker) {
            // Refused for an older epoch, which is what should happen.
            let _outcome = self.apply(now_us, &ClusterCommand::Fence { broker, epoch });
        }
    }
}
