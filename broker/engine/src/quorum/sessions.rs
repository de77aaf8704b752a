//! The controller's memory of who is alive. Pure: told what happened and when, it says what to do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use weir_core::cluster::{ClusterCommand, Image};
use weir_types::{BrokerEpoch, BrokerId};

use super::rpc::Heartbeat;
use crate::peer::ConnectionId;

/// Heartbeats of all brokers, as one controller heard them.
pub struct Sessions {
    timeout: Duration,
    /// Since when this controller listens; everyone has a full timeout from here.
    since: Instant,
    brokers: BTreeMap<BrokerId, Session>,
}

struct Session {
    epoch: BrokerEpoch,
    heard: Instant,
    connection: Option<ConnectionId>,
    /// The connection broke, or the controller is new: worth a look whether the process lives.
    doubtful: bool,
    /// Version of the image when the broker was first heard: it must have caught up with it.
    caught_up_at: u64,
    applied: u64,
    leaving: bool,
}

/// What a heartbeat meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// That process is not the one registered.
    Unknown,
    Steady,
    /// Something for the controller to do.
    News,
}

impl Sessions {
    pub fn new(timeout: Duration, now: Instant) -> Self {
        Self {
            timeout,
            since: now,
            brokers: BTreeMap::new(),
        }
    }

    /// This broker has become the controller. Nobody has sent it heartbeats so far, but of the
    /// last controller it knows when that was heard last: its session goes on from there. A third
    /// of one is left whatever happens: this process may have stood still, and not the other.
    pub fn restart(
        &mut self,
        image: &Image,
        predecessor: Option<(BrokerId, Instant)>,
        now: Instant,
    ) {
        self.since = now;
        self.brokers.clear();
        for broker in image.brokers.values().filter(|b| !b.fenced) {
            let mut session = Session {
                doubtful: true,
                ..Session::new(broker.epoch, image, now)
            };
            if let Some((_, at)) = predecessor.filter(|(id, _)| *id == broker.id) {
                let silent = now.saturating_duration_since(at).min(self.timeout * 2 / 3);
                session.heard = now.checked_sub(silent).unwrap_or(now);
            }
            self.brokers.insert(broker.id, session);
        }
    }

    pub fn hear(
        &mut self,
        image: &Image,
        beat: &Heartbeat,
        connection: Option<ConnectionId>,
        now: Instant,
    ) -> Heard {
        let Some(broker) = image
            .brokers
            .get(&beat.broker)
            .filter(|b| b.epoch == beat.epoch)
        else {
            return Heard::Unknown;
        };
        let fresh = || Session::new(beat.epoch, image, now);
        let session = self.brokers.entry(beat.broker).or_insert_with(fresh);
        if session.epoch != beat.epoch {
            *session = fresh();
        }
        session.heard = now;
        session.connection = connection;
        session.doubtful = false;
        session.applied = beat.applied;
        session.leaving |= beat.leaving;
        if broker.fenced == session.leaving {
            Heard::Steady
        } else {
            Heard::News
        }
    }

    /// A connection broke; true if some broker's heartbeats came by it.
    pub fn lose(&mut self, connection: ConnectionId) -> bool {
        let mut lost = false;
        for session in self.brokers.values_mut() {
            if session.connection == Some(connection) {
                session.connection = None;
                session.doubtful = true;
                lost = true;
            }
        }
        lost
    }

    /// Somebody has a reason to think that the broker's process is gone.
    pub fn doubt(&mut self, broker: BrokerId) {
        if let Some(session) = self.brokers.get_mut(&broker) {
            session.doubtful = true;
        }
    }

    /// Takes the brokers whose process should be looked at now.
    pub fn take_doubtful(&mut self) -> Vec<(BrokerId, BrokerEpoch)> {
        let doubtful = self.brokers.iter_mut().filter(|(_, s)| s.doubtful);
        doubtful
            .map(|(id, session)| {
                session.doubtful = false;
                (*id, session.epoch)
            })
            .collect()
    }

    /// The process is gone: only a heartbeat after this one brings the broker back.
    pub fn forget(&mut self, broker: BrokerId, epoch: BrokerEpoch) {
        if self.brokers.get(&broker).is_some_and(|s| s.epoch == epoch) {
            self.brokers.remove(&broker);
        }
    }

    /// Whether this registration was heard after `moment`.
    pub fn heard_since(&self, broker: BrokerId, epoch: BrokerEpoch, moment: Instant) -> bool {
        let session = self.brokers.get(&broker).filter(|s| s.epoch == epoch);
        session.is_some_and(|s| s.heard > moment)
    }

    /// Whom to fence and whom to unfence at `now`.
    pub fn judge(&self, image: &Image, now: Instant) -> Vec<ClusterCommand> {
        let mut commands = Vec::new();
        for broker in image.brokers.values() {
            let session = self
                .brokers
                .get(&broker.id)
                .filter(|s| s.epoch == broker.epoch);
            let heard = session.map_or(self.since, |s| s.heard);
            let expired = now.saturating_duration_since(heard) >= self.timeout;
            let leaving = session.is_some_and(|s| s.leaving);
            let (id, epoch) = (broker.id, broker.epoch);
            if !broker.fenced && (expired || leaving) {
                commands.push(ClusterCommand::Fence { broker: id, epoch });
            } else if broker.fenced
                && !broker.stopping
                && session.is_some_and(|s| !expired && !leaving && s.applied >= s.caught_up_at)
            {
                commands.push(ClusterCommand::Unfence { broker: id, epoch });
            }
        }
        commands
    }
}

impl Session {
    fn new(epoch: BrokerEpoch, image: &Image, now: Instant) -> Self {
        Self {
            epoch,
            heard: now,
            connection: None,
            doubtful: false,
            caught_up_at: image.version,
            applied: 0,
            leaving: false,
        }
    }
}

#[cfg(test)]
mod tests;
