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

    /// This broker has become the controller.
    pub fn restart(&mut self, image: &Image, now: Instant) {
        self.since = now;
        self.brokers.clear();
        for broker in image.brokers.values().filter(|b| !b.fenced) {
            let session = Session {
                doubtful: true,
                ..Session::new(broker.epoch, image, now)
            };
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
mod tests {
    use super::*;
    use uuid::Uuid;
    use weir_core::cluster::{ClusterReply, Registration};
    use weir_types::FolderId;

    const TIMEOUT: Duration = Duration::from_secs(6);

    fn apply(image: &mut Image, command: ClusterCommand) -> ClusterReply {
        let (next, reply) = image.apply(&command);
        *image = next;
        reply.expect("accepted")
    }

    fn register(image: &mut Image, incarnation: u128) -> BrokerEpoch {
        let registration = Registration {
            broker: BrokerId(1),
            folder: FolderId(Uuid::from_u128(1)),
            incarnation: Uuid::from_u128(incarnation),
            rack: None,
            peer_address: "b1:1".into(),
            listeners: Vec::new(),
            clean: true,
            ineligible: Vec::new(),
        };
        match apply(image, ClusterCommand::RegisterBroker(registration)) {
            ClusterReply::Registered(epoch) => epoch,
            other => panic!("{other:?}"),
        }
    }

    fn formed() -> (Image, BrokerEpoch) {
        let mut image = Image::default();
        apply(
            &mut image,
            ClusterCommand::Form {
                cluster_id: "c".into(),
            },
        );
        let epoch = register(&mut image, 1);
        (image, epoch)
    }

    fn beat(epoch: BrokerEpoch, applied: u64) -> Heartbeat {
        Heartbeat {
            broker: BrokerId(1),
            epoch,
            applied,
            leaving: false,
        }
    }

    #[test]
    fn a_broker_is_unfenced_once_it_has_caught_up_with_its_registration() {
        let (image, epoch) = formed();
        let now = Instant::now();
        let mut sessions = Sessions::new(TIMEOUT, now);
        assert_eq!(sessions.judge(&image, now), [], "never heard");
        assert_eq!(
            sessions.hear(&image, &beat(epoch, 0), None, now),
            Heard::News
        );
        assert_eq!(sessions.judge(&image, now), [], "behind");
        sessions.hear(&image, &beat(epoch, image.version), None, now);
        let unfence = ClusterCommand::Unfence {
            broker: BrokerId(1),
            epoch,
        };
        assert_eq!(sessions.judge(&image, now), [unfence]);
    }

    #[test]
    fn silence_fences_after_the_timeout_and_a_new_controller_starts_it_afresh() {
        let (mut image, epoch) = formed();
        apply(
            &mut image,
            ClusterCommand::Unfence {
                broker: BrokerId(1),
                epoch,
            },
        );
        let start = Instant::now();
        let mut sessions = Sessions::new(TIMEOUT, start);
        sessions.hear(&image, &beat(epoch, 9), None, start);
        let fence = ClusterCommand::Fence {
            broker: BrokerId(1),
            epoch,
        };
        assert_eq!(sessions.judge(&image, start + TIMEOUT / 2), []);
        assert_eq!(
            sessions.judge(&image, start + TIMEOUT),
            std::slice::from_ref(&fence)
        );
        sessions.restart(&image, start + TIMEOUT);
        assert_eq!(sessions.judge(&image, start + TIMEOUT), []);
        assert_eq!(
            sessions.take_doubtful(),
            [(BrokerId(1), epoch)],
            "worth a look at once"
        );
        assert_eq!(sessions.judge(&image, start + 2 * TIMEOUT), [fence]);
    }

    #[test]
    fn a_broker_found_gone_comes_back_only_by_a_new_heartbeat() {
        let (mut image, epoch) = formed();
        apply(
            &mut image,
            ClusterCommand::Unfence {
                broker: BrokerId(1),
                epoch,
            },
        );
        let now = Instant::now();
        let mut sessions = Sessions::new(TIMEOUT, now);
        sessions.hear(&image, &beat(epoch, 9), Some(ConnectionId(5)), now);
        assert!(!sessions.lose(ConnectionId(6)));
        assert!(sessions.lose(ConnectionId(5)));
        assert_eq!(sessions.take_doubtful(), [(BrokerId(1), epoch)]);
        sessions.forget(BrokerId(1), epoch);
        apply(
            &mut image,
            ClusterCommand::Fence {
                broker: BrokerId(1),
                epoch,
            },
        );
        assert_eq!(sessions.judge(&image, now), []);
        sessions.hear(&image, &beat(epoch, image.version), None, now);
        let unfence = ClusterCommand::Unfence {
            broker: BrokerId(1),
            epoch,
        };
        assert_eq!(sessions.judge(&image, now), [unfence]);
    }

    #[test]
    fn an_older_incarnation_is_told_so() {
        let (mut image, old) = formed();
        let new = register(&mut image, 2);
        assert!(new > old);
        let now = Instant::now();
        let mut sessions = Sessions::new(TIMEOUT, now);
        assert_eq!(
            sessions.hear(&image, &beat(old, 9), None, now),
            Heard::Unknown
        );
        assert_eq!(sessions.hear(&image, &beat(new, 9), None, now), Heard::News);
    }

    #[test]
    fn a_goodbye_fences_at_once_and_for_good() {
        let (mut image, epoch) = formed();
        apply(
            &mut image,
            ClusterCommand::Unfence {
                broker: BrokerId(1),
                epoch,
            },
        );
        let now = Instant::now();
        let mut sessions = Sessions::new(TIMEOUT, now);
        let goodbye = Heartbeat {
            leaving: true,
            ..beat(epoch, 9)
        };
        assert_eq!(sessions.hear(&image, &goodbye, None, now), Heard::News);
        let fence = ClusterCommand::Fence {
            broker: BrokerId(1),
            epoch,
        };
        assert_eq!(sessions.judge(&image, now), std::slice::from_ref(&fence));
        apply(&mut image, fence);
        assert_eq!(sessions.judge(&image, now), []);
    }
}
