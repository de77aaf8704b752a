//! Events into the rules, commands out of them carried out.

use weir_api::Error;
use weir_core::cluster::{AlterPartition, ClusterCommand, ClusterError, ClusterReply};
use weir_core::replica::{Command, Event, IsrRefused, Role};
use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch};

use super::LeaderChange;
use super::around::Around;
use super::commands::ShardCommand;
use super::metrics::add;
use super::serving::Serving;
use super::slot::Slot;
use crate::quorum::ProposeError;

impl Slot {
    pub(super) fn step(&mut self, around: &mut Around, event: Event) {
        let isr_before = self.replica.isr().len();
        let counts = matches!(event, Event::Metadata(_) | Event::IsrCommitted { .. });
        let mut commands = std::mem::take(&mut around.scratch);
        self.replica.step(around.now, event, &mut commands);
        let mut next = 0;
        while let Some(command) = commands.get(next).cloned() {
            next += 1;
            if let Some(event) = self.carry_out(around, command) {
                self.replica.step(around.now, event, &mut commands);
            }
        }
        commands.clear();
        around.scratch = commands;
        if counts {
            self.count_isr(around, isr_before);
        }
        self.announce(around);
    }

    fn carry_out(&mut self, around: &mut Around, command: Command) -> Option<Event> {
        match command {
            Command::StartLeading { epoch, .. } => self.start_leading(around, epoch),
            Command::StartFollowing { leader, epoch } => {
                self.start_following(around, leader, epoch);
            }
            Command::Idle => {
                self.leave_role(around, Serving::Nobody, &Error::LeaderNotAvailable);
            }
            Command::Truncate { to } => {
                if let Err(e) = self.log.truncate(to) {
                    around.storage_failed(self.id, "cut the log", &e);
                    return None;
                }
                tracing::info!(partition = %self.id, %to, "log cut to where it parts from the leader's");
                self.touch(around);
                return Some(Event::Truncated {
                    end: self.log.end(),
                });
            }
            Command::ProposeIsr {
                leader_epoch,
                partition_epoch,
                isr,
            } => {
                self.propose_isr(around, leader_epoch, partition_epoch, isr);
            }
            Command::HighWatermark { to } => {
                self.publish();
                let enough = self.replica.has_min_isr();
                while let Some(wait) = self.all_waits.pop_reached(to) {
                    let few = Err(Error::NotEnoughReplicasAfterAppend);
                    wait.ticket
                        .answer(if enough { Ok(wait.appended) } else { few });
                }
            }
        }
        None
    }

    fn start_leading(&mut self, around: &mut Around, epoch: LeaderEpoch) {
        self.stop_following(around);
        self.follower_starts.clear();
        if let Err(e) = self.log.start_epoch(epoch, self.log.end()) {
            around.storage_failed(self.id, "note a leader epoch", &e);
        }
        self.publish();
        self.shared.publish_serving(Serving::Leader(epoch));
        self.announced = false;
    }

    fn start_following(&mut self, around: &mut Around, leader: BrokerId, epoch: LeaderEpoch) {
        let error = Error::NotLeader {
            leader: Some(leader),
            epoch,
        };
        if self.damage.is_some() {
            return self.leave_role(around, Serving::Nobody, &error);
        }
        self.leave_role(around, Serving::Follower(leader, epoch), &error);
        self.fetch_from(around, leader, epoch);
    }

    pub(super) fn fetch_from(&mut self, around: &Around, leader: BrokerId, epoch: LeaderEpoch) {
        self.following = Some(leader);
        let from = self.fetch_position(epoch);
        let hub = &around.hub;
        hub.followers
            .follow(hub, leader, around.shard, self.id, from);
    }

    pub(super) fn leave_role(&mut self, around: &mut Around, serving: Serving, error: &Error) {
        self.stop_following(around);
        self.shared.publish_serving(serving);
        self.fail_waits(error);
        if self.internal {
            // Nobody listens when there are no coordinators (tests).
            let _ = around
                .hub
                .leadership
                .send((self.id, LeaderChange::NotLeading));
        }
        self.announced = false;
    }

    pub(super) fn stop_following(&mut self, around: &Around) {
        self.confirmed = false;
        if let Some(leader) = self.following.take() {
            around.hub.followers.unfollow(leader, around.shard, self.id);
        }
    }

    /// Coordinators may read their partition once its high watermark covers earlier epochs.
    fn announce(&mut self, around: &mut Around) {
        if !self.internal || self.announced || !self.replica.hw_is_served() {
            return;
        }
        if let Role::Leader { epoch } = self.replica.role() {
            self.announced = true;
            self.publish();
            let _ = around
                .hub
                .leadership
                .send((self.id, LeaderChange::Leading(epoch)));
        }
    }

    fn count_isr(&self, around: &Around, before: usize) {
        let now = self.replica.isr().len();
        if !matches!(self.replica.role(), Role::Leader { .. }) || before == 0 {
            return;
        }
        add(&around.hub.metrics.isr_expands, usize::from(now > before));
        add(&around.hub.metrics.isr_shrinks, usize::from(now < before));
    }

    fn propose_isr(
        &self,
        around: &Around,
        leader_epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
        isr: Vec<(BrokerId, BrokerEpoch)>,
    ) {
        let (hub, id) = (around.hub.clone(), self.id);
        around.hub.runtime.spawn(async move {
            let refused = |reason| Event::IsrRefused {
                partition_epoch,
                reason,
            };
            let event = match hub.metadata.broker_epoch() {
                None => refused(IsrRefused::Unknown),
                Some(broker_epoch) => {
                    let broker = hub.config.broker;
                    let partition = id;
                    let proposal = AlterPartition {
                        broker,
                        broker_epoch,
                        partition,
                        leader_epoch,
                        partition_epoch,
                        isr,
                    };
                    let decided = hub
                        .metadata
                        .propose(ClusterCommand::AlterPartition(proposal));
                    match decided.await {
                        // A new epoch came with it: only the whole metadata says what that means.
                        Ok(ClusterReply::Partition(p)) if p.leader_epoch != leader_epoch => {
                            refused(IsrRefused::Stale)
                        }
                        Ok(ClusterReply::Partition(p)) => Event::IsrCommitted {
                            partition_epoch: p.partition_epoch,
                            isr: p.isr,
                        },
                        Ok(_) => refused(IsrRefused::Unknown),
                        Err(e) => refused(refusal(&e)),
                    }
                }
            };
            hub.send(id, ShardCommand::Decided(id, event));
        });
    }
}

fn refusal(error: &ProposeError) -> IsrRefused {
    match error {
        ProposeError::Refused(
            ClusterError::IneligibleReplica(_) | ClusterError::StaleBrokerEpoch { .. },
        ) => IsrRefused::Ineligible,
        ProposeError::Refused(_) => IsrRefused::Stale,
        ProposeError::Unavailable(_) | ProposeError::Unknown(_) => IsrRefused::Unknown,
    }
}
