//! One thread that owns many partitions: takes commands, appends, syncs, answers.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use tracing::warn;
use weir_api::Error;
use weir_types::PartitionId;

use super::around::Around;
use super::clock::unix_now;
use super::commands::ShardCommand;
use super::hub::Hub;
use super::inbox::Inbox;
use super::serving::Serving;
use super::slot::Slot;
use super::sync::SyncQueue;
use super::ticker::Ticker;

/// Commands of one round.
const ROUND_COMMANDS_MAX: usize = 1024;
/// Bytes appended before waiting syncs and readers get their turn.
const ROUND_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) struct Shard {
    pub(super) around: Around,
    pub(super) inbox: Arc<Inbox<ShardCommand>>,
    pub(super) slots: HashMap<PartitionId, Entry>,
    pub(super) syncs: SyncQueue,
    /// A sync cycle is running.
    pub(super) cycling: bool,
    pub(super) ticker: Ticker,
    /// Whose upkeep is due.
    pub(super) upkeep_queue: VecDeque<PartitionId>,
    pub(super) upkeep_away: usize,
    stopping: Vec<oneshot::Sender<()>>,
    failed: bool,
}

pub(super) enum Entry {
    Here(Box<Slot>),
    /// With the upkeep thread; what comes for it waits here, bounded by those who send it (byte
    /// budget, one request a connection).
    Away(Vec<ShardCommand>),
}

pub(super) fn start(hub: &Arc<Hub>, index: usize, syncs: SyncQueue) -> io::Result<JoinHandle<()>> {
    let around = Around::new(Arc::clone(hub), index);
    let shard = Shard {
        inbox: Arc::clone(&hub.inboxes[index]),
        ticker: Ticker::new(&hub.config),
        around,
        slots: HashMap::new(),
        syncs,
        cycling: false,
        upkeep_queue: VecDeque::new(),
        upkeep_away: 0,
        stopping: Vec::new(),
        failed: false,
    };
    std::thread::Builder::new()
        .name(format!("weir-shard-{index}"))
        .spawn(move || shard.run())
}

impl Shard {
    fn run(mut self) {
        let mut round = Vec::with_capacity(ROUND_COMMANDS_MAX);
        let tick = self.around.hub.config.tick;
        loop {
            self.inbox.take(ROUND_COMMANDS_MAX, tick, &mut round);
            self.around.now = self.around.hub.clock.now();
            self.around.unix_now = unix_now();
            for command in round.drain(..) {
                self.handle(command);
                if self.around.round_bytes >= ROUND_BYTES_MAX {
                    self.end_round();
                }
            }
            self.end_round();
            if self.ticker.is_due(self.around.now) {
                self.tick();
                self.end_round();
            }
            if self.is_done() {
                break;
            }
        }
        self.inbox.abandon();
        for stopped in self.stopping {
            // Whoever stops us may have lost patience.
            let _ = stopped.send(());
        }
    }

    fn end_round(&mut self) {
        self.around.round_bytes = 0;
        while let Some(id) = self.around.touched.pop() {
            if let Some(Entry::Here(slot)) = self.slots.get_mut(&id) {
                slot.settle(&mut self.around);
            }
        }
        self.check_failure();
        if !self.failed {
            self.begin_cycle();
        }
    }

    fn handle(&mut self, command: ShardCommand) {
        if self.failed {
            return self.refuse(command);
        }
        match command {
            ShardCommand::Append(append) => {
                if self.around.stopping {
                    append.ticket.fail(Error::ShuttingDown);
                } else {
                    let id = append.partition;
                    match self.slots.get_mut(&id) {
                        Some(Entry::Here(slot)) => slot.append(&mut self.around, append),
                        Some(Entry::Away(later)) => later.push(ShardCommand::Append(append)),
                        None => append.ticket.fail(self.around.hub.why_not_led(id)),
                    }
                }
            }
            ShardCommand::Assign(assignment) => self.assign(assignment),
            ShardCommand::Unassign(id) => self.unassign(id),
            ShardCommand::CycleDone(cycle) => self.end_cycle(cycle),
            ShardCommand::Decided(id, event) => match self.slots.get_mut(&id) {
                Some(Entry::Here(slot)) => {
                    slot.step(&mut self.around, event);
                    slot.touch(&mut self.around);
                }
                Some(Entry::Away(later)) => later.push(ShardCommand::Decided(id, event)),
                None => {}
            },
            ShardCommand::Positions(positions) => self.positions(*positions),
            ShardCommand::Reports(follower, epoch, reports) => {
                self.reports(follower, epoch, reports);
            }
            ShardCommand::Fetched(fetched) => self.fetched(*fetched),
            ShardCommand::Ask(id, question) => match self.slots.get_mut(&id) {
                Some(Entry::Here(slot)) => slot.ask(&mut self.around, question),
                Some(Entry::Away(later)) => later.push(ShardCommand::Ask(id, question)),
                None => question.fail(self.around.hub.why_not_led(id)),
            },
            ShardCommand::Returned(slot) => self.take_back(slot),
            ShardCommand::Doubt(id, base) => self.doubt(id, base),
            ShardCommand::Kept(id) => self.keep_damaged(id),
            ShardCommand::Deleted(id) => {
                let later = match self.slots.remove(&id) {
                    Some(Entry::Away(later)) => later,
                    Some(here) => {
                        self.slots.insert(id, here);
                        return;
                    }
                    None => return,
                };
                later.into_iter().for_each(|command| self.handle(command));
            }
            ShardCommand::Stop(stopped) => self.begin_stop(stopped),
        }
    }

    pub(super) fn take_back(&mut self, mut slot: Box<Slot>) {
        let id = slot.id;
        self.upkeep_away = self.upkeep_away.saturating_sub(1);
        slot.enlist(&mut self.around);
        let damaged = slot.damage.is_some();
        let before = self.slots.insert(id, Entry::Here(slot));
        if damaged {
            self.give_up(id);
        }
        if let Some(Entry::Away(later)) = before {
            later.into_iter().for_each(|command| self.handle(command));
        }
        self.next_upkeep();
    }

    fn begin_stop(&mut self, stopped: oneshot::Sender<()>) {
        self.around.stopping = true;
        self.stopping.push(stopped);
        // `flush: async` topics too: nothing may be left to lose.
        for id in std::mem::take(&mut self.around.lazy) {
            if let Some(Entry::Here(slot)) = self.slots.get_mut(&id) {
                slot.make_dirty(&mut self.around);
            }
        }
        for entry in self.slots.values_mut() {
            if let Entry::Here(slot) = entry {
                slot.stop_following(&self.around);
            }
        }
    }

    /// Everything is durable, and nobody else holds a log of ours.
    fn is_done(&mut self) -> bool {
        let busy = self.cycling || !self.around.dirty.is_empty();
        if self.stopping.is_empty() || (busy && !self.failed) {
            return false;
        }
        if !self.failed && self.slots.values().any(|e| matches!(e, Entry::Away(_))) {
            return false;
        }
        for entry in self.slots.values_mut() {
            if let Entry::Here(slot) = entry {
                slot.shared.publish_serving(Serving::Nobody);
                let epoch = weir_types::LeaderEpoch::NONE;
                slot.fail_waits(&Error::NotLeader {
                    leader: None,
                    epoch,
                });
                if !self.failed
                    && let Err(e) = slot.log.close()
                {
                    let reason = format!("partition {}: cannot close the log: {e}", slot.id);
                    self.around.hub.fail(reason);
                }
            }
        }
        true
    }

    /// Once the folder has failed, nothing of it is served.
    fn check_failure(&mut self) {
        if let Some(reason) = self.around.failure.take() {
            self.around.hub.fail(reason);
        }
        if self.failed {
            return;
        }
        let Some(reason) = self.around.hub.failure() else {
            return;
        };
        self.failed = true;
        warn!(shard = self.around.shard, "shard stops serving");
        let error = Error::Storage(reason);
        for (_, entry) in self.slots.drain() {
            if let Entry::Here(mut slot) = entry {
                slot.stop_following(&self.around);
                slot.shared.publish_serving(Serving::Nobody);
                slot.fail_waits(&error);
                self.around.hub.table.remove(slot.id);
            }
        }
    }

    fn refuse(&mut self, command: ShardCommand) {
        let error = || Error::Storage(self.around.hub.failure().unwrap_or_default());
        match command {
            ShardCommand::Append(append) => append.ticket.fail(error()),
            ShardCommand::Ask(_, question) => question.fail(error()),
            ShardCommand::Stop(stopped) => self.stopping.push(stopped),
            ShardCommand::Returned(mut slot) => {
                slot.shared.publish_serving(Serving::Nobody);
                slot.fail_waits(&error());
                self.around.hub.table.remove(slot.id);
            }
            // Whoever waits for an answer hears that the sender is gone.
            _ => {}
        }
    }
}
