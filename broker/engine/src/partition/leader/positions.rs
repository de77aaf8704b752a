//! Followers' positions, checked against the leader's log by its shard.

use weir_core::replica::{Event, Role};
use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};

use super::super::around::Around;
use super::super::commands::{Position, Positions, ShardCommand};
use super::super::shard::{Entry, Shard};
use super::super::slot::Slot;
use super::super::wire::{Change, Report};

/// Whether a follower may go on from where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Serve,
    Diverging { epoch: LeaderEpoch, end: Offset },
    OutOfRange { log_start: Offset },
    Refused,
}

impl Shard {
    pub(in super::super) fn positions(&mut self, positions: Positions) {
        let Positions {
            follower,
            epoch,
            items,
            reply,
        } = positions;
        let mut verdicts = Vec::with_capacity(if reply.is_some() { items.len() } else { 0 });
        for item in items {
            let verdict = self.position(follower, epoch, item);
            if reply.is_some() {
                verdicts.push(verdict);
            }
        }
        if let Some(reply) = reply {
            // The follower's connection may be gone.
            let _ = reply.send(verdicts);
        }
    }

    fn position(&mut self, follower: BrokerId, epoch: BrokerEpoch, item: Position) -> Verdict {
        let id = item.change.partition;
        match self.slots.get_mut(&id) {
            None => Verdict::Refused,
            Some(Entry::Here(slot)) => slot.position(&mut self.around, follower, epoch, &item),
            // It asks again; what needs no comparison waits.
            Some(Entry::Away(_)) if item.compare => Verdict::Refused,
            Some(Entry::Away(later)) => {
                let one = Positions {
                    follower,
                    epoch,
                    items: vec![item],
                    reply: None,
                };
                later.push(ShardCommand::Positions(Box::new(one)));
                Verdict::Serve
            }
        }
    }

    pub(in super::super) fn reports(
        &mut self,
        follower: BrokerId,
        epoch: BrokerEpoch,
        reports: Vec<Report>,
    ) {
        for report in reports {
            match self.slots.get_mut(&report.partition) {
                Some(Entry::Here(slot)) => {
                    slot.report_in(&mut self.around, follower, epoch, &report);
                }
                Some(Entry::Away(later)) => {
                    later.push(ShardCommand::Reports(follower, epoch, vec![report]));
                }
                None => {}
            }
        }
    }
}

impl Slot {
    fn position(
        &mut self,
        around: &mut Around,
        follower: BrokerId,
        epoch: BrokerEpoch,
        item: &Position,
    ) -> Verdict {
        let change = &item.change;
        let leads = Role::Leader {
            epoch: change.leader_epoch,
        };
        let beyond = change.offset > self.log.end() && !item.compare;
        if self.replica.role() != leads || beyond || !self.replica.has_replica(follower) {
            return Verdict::Refused;
        }
        let verdict = if item.compare {
            self.compare(change)
        } else {
            Verdict::Serve
        };
        if verdict == Verdict::Serve {
            self.tell_appended(around);
            let fetch_offset = change.offset;
            self.step(
                around,
                Event::FollowerFetched {
                    follower,
                    epoch,
                    fetch_offset,
                },
            );
            self.note_start(follower, change.log_start);
            self.touch(around);
        }
        verdict
    }

    /// KIP-595: does the follower's history end within ours?
    fn compare(&self, change: &Change) -> Verdict {
        let log_start = self.log.start();
        if change.offset < log_start {
            return Verdict::OutOfRange { log_start };
        }
        if change.last_epoch == LeaderEpoch::NONE {
            let within = change.offset <= self.log.end();
            return if within {
                Verdict::Serve
            } else {
                Verdict::OutOfRange { log_start }
            };
        }
        match self.log.epoch_end(change.last_epoch) {
            Some((epoch, end)) if epoch == change.last_epoch && end >= change.offset => {
                Verdict::Serve
            }
            Some((epoch, end)) => Verdict::Diverging { epoch, end },
            None => Verdict::OutOfRange { log_start },
        }
    }

    fn report_in(
        &mut self,
        around: &mut Around,
        follower: BrokerId,
        epoch: BrokerEpoch,
        report: &Report,
    ) {
        if self.replica.role()
            != (Role::Leader {
                epoch: report.leader_epoch,
            })
        {
            return;
        }
        self.tell_appended(around);
        let durable_end = report.durable_end;
        self.step(
            around,
            Event::FollowerDurable {
                follower,
                epoch,
                durable_end,
            },
        );
        self.note_start(follower, report.log_start);
        self.touch(around);
    }
}
