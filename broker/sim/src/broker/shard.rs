//! One partition on one broker: the real log and the real replica, and between them what the
//! engine's shards do, with every wait for the disk an event of its own.

use weir_core::cluster::AlterPartition;
use weir_core::replica::{Command, Event, LogState, Membership, Replica, Role};
use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, Millis, Offset, PartitionId};

use super::out::{Effect, Out, Sight, Timer};
use super::{Broken, Done, Job, PartitionLog, REPLICA};
use crate::message::{Fetch, Message, Node, Refusal};
use crate::options::Plant;

/// What a shard knows of its surroundings while it takes one event.
#[derive(Clone, Copy, Debug)]
pub struct Ctx {
    pub me: BrokerId,
    /// Monotonic.
    pub now: Millis,
    /// The wall clock, wrong by this broker's skew.
    pub wall: Millis,
    pub broker_epoch: BrokerEpoch,
    pub plant: Plant,
    /// Names requests; unique in the run.
    pub correlation: u64,
}

/// A write that waits to be acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) client: Node,
    pub(super) request: u64,
    pub(super) base: Offset,
    /// Exclusive.
    pub(super) end: Offset,
    pub(super) acks_all: bool,
}

/// A fetch that waits for records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parked {
    pub(super) fetch: Fetch,
    pub(super) since: Millis,
}

/// A follower's side of one leader epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Following {
    pub(super) leader: BrokerId,
    pub(super) epoch: LeaderEpoch,
    /// The leader has answered without "diverging": our durable end may be reported.
    pub(super) accepted: bool,
    /// The fetch under way, and since when.
    pub(super) asked: Option<(u64, Millis)>,
}

pub(super) enum Sync {
    Idle,
    /// Begun, not on the disk.
    Begun(Job),
    /// On the disk, and the log does not know it yet.
    Ran(Done),
}

pub struct Shard {
    pub(super) id: PartitionId,
    pub(super) log: PartitionLog,
    pub(super) replica: Replica,
    pub(super) waits: Vec<Wait>,
    pub(super) parked: Vec<Parked>,
    pub(super) following: Option<Following>,
    pub(super) sync: Sync,
    /// The durable end that the next durable mark says.
    pub(super) unmarked: Option<Offset>,
}

impl Shard {
    pub fn new(id: PartitionId, log: PartitionLog, me: BrokerId) -> Self {
        let state = LogState {
            start: log.start(),
            end: log.end(),
            durable_end: log.durable_end(),
        };
        Self {
            id,
            replica: Replica::new(me, REPLICA, state),
            log,
            waits: Vec::new(),
            parked: Vec::new(),
            following: None,
            sync: Sync::Idle,
            unmarked: None,
        }
    }

    pub fn log(&self) -> &PartitionLog {
        &self.log
    }

    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    pub fn follow_metadata(
        &mut self,
        ctx: Ctx,
        membership: Membership,
        out: &mut Out,
    ) -> Result<(), Broken> {
        self.step(ctx, Event::Metadata(membership), out)
    }

    pub fn tick(&mut self, ctx: Ctx, out: &mut Out) -> Result<(), Broken> {
        self.step(ctx, Event::Tick, out)?;
        self.answer_long_parked(ctx, out)?;
        self.fetch_if_silent(ctx, out);
        self.report_durable(ctx, out);
        self.begin_sync(out);
        Ok(())
    }

    pub(super) fn step(&mut self, ctx: Ctx, event: Event, out: &mut Out) -> Result<(), Broken> {
        let mut commands = Vec::new();
        self.replica.step(ctx.now, event, &mut commands);
        for command in commands {
            self.carry_out(ctx, command, out)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, ctx: Ctx, command: Command, out: &mut Out) -> Result<(), Broken> {
        match command {
            Command::StartLeading { epoch, start } => {
                self.leave_role(out);
                self.log.start_epoch(epoch, start)?;
                out.saw(Sight::Led {
                    partition: self.id,
                    epoch,
                    start,
                });
                self.begin_sync(out);
            }
            Command::StartFollowing { leader, epoch } => {
                self.leave_role(out);
                let asked = None;
                self.following = Some(Following {
                    leader,
                    epoch,
                    accepted: false,
                    asked,
                });
                if ctx.plant == Plant::CutToHighWatermark {
                    self.cut(ctx, self.replica.high_watermark(), out)?;
                }
                self.fetch(ctx, out);
            }
            Command::Idle => self.leave_role(out),
            Command::Truncate { to } => self.cut(ctx, to, out)?,
            Command::ProposeIsr {
                leader_epoch,
                partition_epoch,
                isr,
            } => {
                let change = AlterPartition {
                    broker: ctx.me,
                    broker_epoch: ctx.broker_epoch,
                    partition: self.id,
                    leader_epoch,
                    partition_epoch,
                    isr,
                };
                out.0.push(Effect::ProposeIsr(Box::new(change)));
            }
            Command::HighWatermark { to } => {
                out.saw(Sight::HighWatermark {
                    partition: self.id,
                    to,
                });
                self.answer_waits(out);
            }
        }
        Ok(())
    }

    /// Whoever waits for something of the earlier role is told to look elsewhere.
    pub(super) fn leave_role(&mut self, out: &mut Out) {
        self.following = None;
        for wait in self.waits.drain(..) {
            let result = Err(Refusal::NotLeader);
            out.send(
                wait.client,
                Message::Produced {
                    request: wait.request,
                    result,
                },
            );
        }
        for parked in std::mem::take(&mut self.parked) {
            self.refuse_fetch(parked.fetch, out);
        }
    }

    fn cut(&mut self, ctx: Ctx, to: Offset, out: &mut Out) -> Result<(), Broken> {
        let from = self.log.end();
        self.log.truncate(to)?;
        let to = self.log.end();
        if to < from {
            out.saw(Sight::Cut {
                partition: self.id,
                from,
                to,
            });
        }
        self.step(ctx, Event::Truncated { end: to }, out)
    }

    pub(super) fn appended(&mut self, ctx: Ctx, out: &mut Out) -> Result<(), Broken> {
        let end = self.log.end();
        self.step(ctx, Event::Appended { end }, out)?;
        if ctx.plant == Plant::AckBeforeSync {
            self.step(ctx, Event::Synced { durable_end: end }, out)?;
            self.answer_waits(out);
        }
        self.begin_sync(out);
        Ok(())
    }

    pub(super) fn begin_sync(&mut self, out: &mut Out) {
        if matches!(self.sync, Sync::Idle)
            && let Some(job) = self.log.begin_sync()
        {
            self.sync = Sync::Begun(job);
            out.later(Timer::Sync(self.id));
        }
    }

    /// The sync reaches the disk; nobody knows yet.
    pub fn run_sync(&mut self, out: &mut Out) {
        match std::mem::replace(&mut self.sync, Sync::Idle) {
            Sync::Begun(job) => {
                self.sync = Sync::Ran(job.run());
                out.saw(Sight::Synced);
                out.later(Timer::Synced(self.id));
            }
            // The timer is that of a replica dropped meanwhile.
            other => self.sync = other,
        }
    }

    pub fn finish_sync(&mut self, ctx: Ctx, out: &mut Out) -> Result<(), Broken> {
        let ran = std::mem::replace(&mut self.sync, Sync::Idle);
        let Sync::Ran(done) = ran else {
            self.sync = ran;
            return Ok(());
        };
        let durable_end = self.log.finish_sync(done)?;
        self.unmarked = Some(durable_end);
        self.step(ctx, Event::Synced { durable_end }, out)?;
        self.answer_waits(out);
        self.report_durable(ctx, out);
        self.begin_sync(out);
        Ok(())
    }

    /// Syncs everything at once, for an orderly stop.
    pub fn sync_now(&mut self, ctx: Ctx, out: &mut Out) -> Result<(), Broken> {
        loop {
            match std::mem::replace(&mut self.sync, Sync::Idle) {
                Sync::Idle => match self.log.begin_sync() {
                    Some(job) => self.sync = Sync::Begun(job),
                    None => return Ok(self.log.close()?),
                },
                Sync::Begun(job) => self.sync = Sync::Ran(job.run()),
                ran @ Sync::Ran(_) => {
                    self.sync = ran;
                    self.finish_sync(ctx, out)?;
                }
            }
        }
    }

    pub fn has_mark(&self) -> bool {
        self.unmarked.is_some()
    }

    /// What the next durable mark of this partition says.
    pub fn take_mark(&mut self) -> Option<(PartitionId, Offset)> {
        Some((self.id, self.unmarked.take()?.min(self.log.end())))
    }

    pub(super) fn leads(&self, epoch: LeaderEpoch) -> bool {
        self.replica.role() == Role::Leader { epoch }
    }
}
