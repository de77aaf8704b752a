//! Messages and timers reach whom they are for.

use weir_core::cluster::{ClusterCommand, ClusterReply, LogEnds, ReportedEnd};
use weir_types::BrokerId;

use super::{Happening, World};
use crate::broker::{Broken, Ctx, Effect, Out, Pending, Process, SharedImage, SyncPoint, Timer};
use crate::invariants::Violation;
use crate::message::{Message, Node};
use crate::quorum::Quorum;

impl World {
    pub(super) fn deliver(
        &mut self,
        from: Node,
        to: Node,
        message: Message,
    ) -> Result<(), Violation> {
        match to {
            Node::Broker(id) => self.with_process(id, |process, ctx, out| {
                process.deliver(ctx, from, message, out)
            }),
            Node::Controller => {
                self.controller(message);
                Ok(())
            }
            Node::Producer(index) => self.producer_answered(index, message),
            Node::Consumer(index) => self.consumer_answered(index, message),
        }
    }

    fn controller(&mut self, message: Message) {
        match message {
            Message::Heartbeat {
                broker,
                epoch,
                seen,
            } => {
                self.with_quorum(|quorum, now| quorum.heartbeat(now, broker, epoch, seen));
                if seen < self.quorum.image.version {
                    let image = SharedImage::clone(&self.quorum.image);
                    self.send(
                        Node::Controller,
                        Node::Broker(broker),
                        Message::Metadata(image),
                    );
                }
            }
            Message::Propose { tag, from, command } => {
                let result = Box::new(self.apply(&command));
                self.send(
                    Node::Controller,
                    Node::Broker(from),
                    Message::Proposed { tag, result },
                );
            }
            _ => {}
        }
    }

    /// Applies a command and tells everybody.
    pub(super) fn apply(
        &mut self,
        command: &ClusterCommand,
    ) -> Result<ClusterReply, weir_core::cluster::ClusterError> {
        let outcome = self.with_quorum(|quorum, now| quorum.apply(now, command));
        if matches!(command, ClusterCommand::AlterPartition(_)) && outcome.is_ok() {
            self.stats.isr_changes += 1;
        }
        if let (ClusterCommand::RegisterBroker(r), Ok(_)) = (command, &outcome)
            && let Some(machine) = self.machine_mut(r.broker)
        {
            machine.awaits_new_folder = false;
        }
        self.line(|| format!("quorum: {command:?} -> {outcome:?}"));
        outcome
    }

    /// Lets the quorum act, and sends the image out if that changed it.
    pub(super) fn with_quorum<T>(&mut self, act: impl FnOnce(&mut Quorum, u64) -> T) -> T {
        let before = self.quorum.image.version;
        let result = act(&mut self.quorum, self.queue.now_us());
        if self.quorum.image.version != before {
            for index in 0..self.machines.len() {
                let to = Node::Broker(self.machines[index].id);
                let image = SharedImage::clone(&self.quorum.image);
                self.send(Node::Controller, to, Message::Metadata(image));
            }
        }
        result
    }

    /// Lets the broker's process act, if one is up, and carries out what it wants.
    pub(super) fn with_process(
        &mut self,
        id: BrokerId,
        act: impl FnOnce(&mut Process, Ctx, &mut Out) -> Result<(), Broken>,
    ) -> Result<(), Violation> {
        match self.try_process(id, act) {
            Ok(_) if self.power_is_out(id) => Ok(()),
            Ok(out) => self.carry_out(id, out),
            Err(broken) => self.process_broke(id, &broken),
        }
    }

    fn try_process(
        &mut self,
        id: BrokerId,
        act: impl FnOnce(&mut Process, Ctx, &mut Out) -> Result<(), Broken>,
    ) -> Result<Out, Broken> {
        let mut out = Out::default();
        let correlation = self.next_id();
        let (now, plant) = (self.now(), self.options.plant);
        let machine = self.machines.iter_mut().find(|m| m.id == id);
        if let Some((machine, wall)) = machine.map(|m| {
            let wall = m.wall(now);
            (m, wall)
        }) && let Some(process) = &mut machine.process
        {
            let ctx = Ctx {
                me: id,
                now,
                wall,
                broker_epoch: process.epoch.unwrap_or_default(),
                plant,
                correlation,
            };
            act(process, ctx, &mut out)?;
        }
        Ok(out)
    }

    pub(super) fn carry_out(&mut self, id: BrokerId, out: Out) -> Result<(), Violation> {
        for effect in out.0 {
            match effect {
                Effect::Send(to, message) => self.send(Node::Broker(id), to, message),
                Effect::Later(timer) => self.later(id, timer),
                Effect::ProposeIsr(change) => {
                    let pending = Pending::isr(self.now_us(), &change);
                    self.propose(id, pending, ClusterCommand::AlterPartition(*change));
                }
                Effect::ReportEnds(ends) => self.report_ends(id, ends),
                Effect::Saw(sight) => self.observe(id, sight)?,
            }
        }
        Ok(())
    }

    fn report_ends(&mut self, id: BrokerId, ends: Vec<ReportedEnd>) {
        let pending = Pending::ends(self.now_us());
        if let Some(epoch) = self.process_mut(id).and_then(|p| p.epoch) {
            let command = ClusterCommand::ReportLogEnds(LogEnds {
                broker: id,
                epoch,
                ends,
            });
            self.propose(id, pending, command);
        }
    }

    fn propose(&mut self, id: BrokerId, pending: Pending, command: ClusterCommand) {
        let tag = self.next_id();
        if let Some(process) = self.process_mut(id) {
            process.pending.insert(tag, pending);
        }
        let command = Box::new(command);
        let message = Message::Propose {
            tag,
            from: id,
            command,
        };
        self.send(Node::Broker(id), Node::Controller, message);
    }

    pub(super) fn later(&mut self, id: BrokerId, timer: Timer) {
        let Some(machine) = self.machines.iter().find(|m| m.id == id) else {
            return;
        };
        let Some(incarnation) = machine.process.as_ref().map(|p| p.incarnation) else {
            return;
        };
        let slowness = machine.slowness;
        let delay_us = match timer {
            Timer::Tick => self.dice.range(180_000, 220_000),
            Timer::Sync(_) => self.dice.range(100, 3_000) * slowness,
            Timer::Synced(_) => self.dice.range(10, 300),
            Timer::Mark => self.dice.range(10, 3_000) * slowness,
            Timer::Register => self.dice.range(100, 20_000),
            Timer::Stopped => self.dice.range(300_000, 2_000_000),
        };
        self.queue.after(
            delay_us,
            Happening::Timer {
                broker: id,
                incarnation,
                timer,
            },
        );
    }

    pub(super) fn timer(
        &mut self,
        id: BrokerId,
        incarnation: u64,
        timer: Timer,
    ) -> Result<(), Violation> {
        if self
            .process_mut(id)
            .is_none_or(|p| p.incarnation != incarnation)
        {
            return Ok(());
        }
        let now_us = self.now_us();
        match timer {
            Timer::Tick => self.with_process(id, |p, ctx, out| p.tick(ctx, now_us, out)),
            Timer::Sync(partition) => {
                if self.strikes_at(id, SyncPoint::BeforeSync) {
                    return Ok(());
                }
                self.with_process(id, |p, _, out| {
                    p.shards.get_mut(&partition).map_or(Ok(()), |s| {
                        s.run_sync(out);
                        Ok(())
                    })
                })?;
                self.strikes_at(id, SyncPoint::AfterSync);
                Ok(())
            }
            Timer::Synced(partition) => {
                let finished = self.try_process(id, |p, ctx, out| {
                    p.shards
                        .get_mut(&partition)
                        .map_or(Ok(()), |s| s.finish_sync(ctx, out))?;
                    p.begin_mark(out);
                    Ok(())
                });
                match finished {
                    Ok(_) if self.power_is_out(id) => Ok(()),
                    Ok(_) if self.strikes_at(id, SyncPoint::AfterFinish) => Ok(()),
                    Ok(out) => self.carry_out(id, out),
                    Err(broken) => self.process_broke(id, &broken),
                }
            }
            Timer::Mark => {
                if self.strikes_at(id, SyncPoint::BeforeMark) {
                    return Ok(());
                }
                self.with_process(id, |p, _, _| p.write_marks())?;
                self.strikes_at(id, SyncPoint::AfterMark);
                Ok(())
            }
            Timer::Register => {
                if let Some(process) = self.process_mut(id)
                    && process.epoch.is_none()
                {
                    let command = process.registration();
                    self.propose(id, Pending::register(now_us), command);
                }
                Ok(())
            }
            Timer::Stopped => self.finish_stop(id),
        }
    }
}
