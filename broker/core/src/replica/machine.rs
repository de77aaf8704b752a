//! The replica: roles, events, queries.

use weir_types::{BrokerId, LeaderEpoch, Millis, Offset, PartitionEpoch};

use super::leading::{Leading, Surroundings};
use super::{Command, Event, LogState, Membership, ReplicaConfig, Role};

/// One partition's replica.
///
/// The shell feeds it every event of its partition in order, metadata only from images in which
/// this process's own registration is the current one: a restarted leader that saw its old epoch
/// again would lead it with a log that may have lost its tail (rule 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    pub(super) me: BrokerId,
    pub(super) config: ReplicaConfig,
    pub(super) log: LogState,
    pub(super) high_watermark: Offset,
    pub(super) membership: Option<Membership>,
    pub(super) state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    Leader(Box<Leading>),
    /// With the leader's high watermark as last told, which may be above our end.
    Follower {
        leader: BrokerId,
        epoch: LeaderEpoch,
        told: Offset,
    },
}

impl Replica {
    pub fn new(me: BrokerId, config: ReplicaConfig, log: LogState) -> Self {
        Self {
            me,
            config,
            log,
            high_watermark: log.start,
            membership: None,
            state: State::Idle,
        }
    }

    /// Takes one event at `now` (monotonic) and pushes what is to be done, in order.
    pub fn step(&mut self, now: Millis, event: Event, out: &mut Vec<Command>) {
        match event {
            Event::Metadata(membership) => self.metadata(now, membership, out),
            Event::Appended { end } => self.appended(now, end),
            Event::Synced { durable_end } => {
                self.log.durable_end = self.log.durable_end.max(durable_end).min(self.log.end);
            }
            Event::Truncated { end } => self.truncated(end),
            Event::FollowerFetched {
                follower,
                epoch,
                fetch_offset,
            } => {
                self.lead(now, |l, around| {
                    l.follower_fetched(around, follower, epoch, fetch_offset)
                });
                self.propose_joining(now, follower, out);
            }
            Event::FollowerDurable {
                follower,
                epoch,
                durable_end,
            } => {
                self.lead(now, |l, around| {
                    l.follower_synced(around, follower, epoch, durable_end)
                });
                self.propose_joining(now, follower, out);
            }
            Event::IsrCommitted {
                partition_epoch,
                isr,
            } => {
                self.isr_committed(now, partition_epoch, isr);
            }
            Event::IsrRefused {
                partition_epoch,
                reason,
            } => {
                self.lead(now, |l, around| l.refused(around, partition_epoch, reason));
            }
            Event::LeaderAnswered {
                epoch,
                high_watermark,
                log_start,
            } => {
                self.leader_answered(epoch, high_watermark, log_start);
            }
            Event::Diverged {
                leader_epoch,
                cut_to,
            } => self.diverged(leader_epoch, cut_to, out),
            Event::Tick => self.lead(now, |l, around| l.propose(around, out)),
        }
        self.raise_high_watermark(now, out);
    }

    fn metadata(&mut self, now: Millis, membership: Membership, out: &mut Vec<Command>) {
        if let Some(have) = &self.membership {
            let order = |m: &Membership| (m.leader_epoch, m.partition_epoch);
            if order(&membership) < order(have) {
                return;
            }
        }
        let role = self.role();
        let wanted = wanted_role(self.me, &membership);
        self.membership = Some(membership);
        if role == wanted {
            self.lead(now, Leading::follow_membership);
        } else {
            self.take_role(now, wanted, out);
        }
    }

    fn take_role(&mut self, now: Millis, role: Role, out: &mut Vec<Command>) {
        match role {
            Role::Idle => {
                self.state = State::Idle;
                out.push(Command::Idle);
            }
            Role::Follower { leader, epoch } => {
                self.state = State::Follower {
                    leader,
                    epoch,
                    told: Offset::ZERO,
                };
                out.push(Command::StartFollowing { leader, epoch });
            }
            Role::Leader { epoch } => {
                if let Some(around) = self.surroundings(now) {
                    self.state = State::Leader(Box::new(Leading::new(around)));
                    out.push(Command::StartLeading {
                        epoch,
                        start: self.log.end,
                    });
                }
            }
        }
    }

    fn appended(&mut self, now: Millis, end: Offset) {
        let old_end = self.log.end;
        self.log.end = old_end.max(end);
        if let State::Leader(leading) = &mut self.state {
            leading.leader_appended(now, old_end, self.log.end);
        }
    }

    fn truncated(&mut self, end: Offset) {
        // Emptied to start above our old end: all of nothing is durable.
        let emptied = end > self.log.end;
        self.log.end = end;
        self.log.durable_end = if emptied {
            end
        } else {
            self.log.durable_end.min(end)
        };
        self.high_watermark = self.high_watermark.min(end);
    }

    fn propose_joining(&mut self, now: Millis, follower: BrokerId, out: &mut Vec<Command>) {
        self.lead(now, |leading, around| {
            if leading.may_join(around, follower) {
                leading.propose(around, out);
            }
        });
    }

    fn isr_committed(&mut self, now: Millis, partition_epoch: PartitionEpoch, isr: Vec<BrokerId>) {
        if !matches!(self.state, State::Leader(_)) {
            return;
        }
        if let Some(membership) = &mut self.membership
            && partition_epoch > membership.partition_epoch
        {
            membership.partition_epoch = partition_epoch;
            membership.elr.retain(|id| !isr.contains(id));
            membership.isr = isr;
            self.lead(now, Leading::follow_membership);
        }
    }

    fn leader_answered(&mut self, answered: LeaderEpoch, high_watermark: Offset, start: Offset) {
        if let State::Follower { epoch, told, .. } = &mut self.state
            && *epoch == answered
        {
            *told = (*told).max(high_watermark).max(start);
        }
    }

    fn diverged(&mut self, from: LeaderEpoch, cut_to: Offset, out: &mut Vec<Command>) {
        if let State::Follower { epoch, .. } = &self.state
            && *epoch == from
        {
            // Also at our very end: the log forgets epochs that began there without a record.
            let to = cut_to.min(self.log.end);
            out.push(Command::Truncate { to });
        }
    }

    fn raise_high_watermark(&mut self, now: Millis, out: &mut Vec<Command>) {
        let reached = match (&self.state, self.surroundings(now)) {
            (State::Leader(leading), Some(around)) => leading.committed_end(around),
            (State::Follower { told, .. }, _) => Some((*told).min(self.log.end)),
            _ => None,
        };
        if let Some(to) = reached.filter(|to| *to > self.high_watermark) {
            self.high_watermark = to;
            out.push(Command::HighWatermark { to });
        }
    }

    fn lead(&mut self, now: Millis, act: impl FnOnce(&mut Leading, Surroundings<'_>)) {
        let (State::Leader(leading), Some(membership)) = (&mut self.state, &self.membership) else {
            return;
        };
        let around = Surroundings {
            me: self.me,
            now,
            config: self.config,
            log: self.log,
            high_watermark: self.high_watermark,
            membership,
        };
        act(leading, around);
    }

    fn surroundings(&self, now: Millis) -> Option<Surroundings<'_>> {
        Some(Surroundings {
            me: self.me,
            now,
            config: self.config,
            log: self.log,
            high_watermark: self.high_watermark,
            membership: self.membership.as_ref()?,
        })
    }
}

fn wanted_role(me: BrokerId, membership: &Membership) -> Role {
    let epoch = membership.leader_epoch;
    match membership.leader {
        _ if !membership.replicas.contains(&me) => Role::Idle,
        None => Role::Idle,
        Some(leader) if leader == me => Role::Leader { epoch },
        Some(leader) => Role::Follower { leader, epoch },
    }
}
