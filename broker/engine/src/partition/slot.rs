//! One replica as its shard owns it: log, rules, and who waits.

use std::sync::Arc;
use weir_api::Error;
use weir_core::replica::{Event, LogState, Replica, ReplicaConfig, Role};
use weir_storage::{Flush, Log, LogConfig, RealDisk};
use weir_types::{BrokerId, LeaderEpoch, Millis, Offset, PartitionId};

use super::around::Around;
use super::commands::FetchPosition;
use super::delete_records::DeleteWait;
use super::shared::{Moved, Shared};
use super::waits::Waits;
use super::wire;

pub(super) struct Slot {
    pub(super) id: PartitionId,
    pub(super) me: BrokerId,
    pub(super) internal: bool,
    pub(super) shared: Arc<Shared>,
    pub(super) log: Log<RealDisk>,
    pub(super) replica: Replica,
    pub(super) config: Arc<LogConfig>,
    /// Writes with acks=1.
    pub(super) leader_waits: Waits,
    /// Writes with acks=all.
    pub(super) all_waits: Waits,
    pub(super) delete_waits: Vec<DeleteWait>,
    /// Leader: log starts of followers.
    pub(super) follower_starts: Vec<(BrokerId, Offset)>,
    /// Follower: who is fetched from.
    pub(super) following: Option<BrokerId>,
    /// Follower: the leader has answered a fetch of this epoch, so that what we hold durably
    /// matches its log and may be reported.
    pub(super) confirmed: bool,
    /// Internal topics were told that this broker leads.
    pub(super) announced: bool,
    /// Something to publish at the end of the round.
    touched: bool,
    appended: bool,
    /// In the list of what the next sync cycle takes.
    dirty: bool,
    /// `flush: async`: when the next sync is due.
    pub(super) sync_due: Option<Millis>,
    /// A sync of this log is running.
    pub(super) syncing: bool,
    /// When it was last appended to, monotonic.
    pub(super) used_at: Millis,
    /// Its files are closed until somebody needs them.
    pub(super) rested: bool,
    /// Of this opening of the log, to tell late syncs apart.
    pub(super) generation: u64,
    /// What is wrong with the log, from when it was found until it is copied anew: it is not
    /// fetched for meanwhile.
    pub(super) damage: Option<String>,
    /// The leader epoch then; under a later one nobody knows anything of this replica.
    pub(super) damage_epoch: LeaderEpoch,
    /// Sent off to the upkeep thread as soon as no sync runs.
    pub(super) upkeep_due: Option<super::upkeep::Chore>,
    published_end: Offset,
    published_start: Offset,
    published_high_watermark: Offset,
    served: bool,
}

impl Slot {
    pub(super) fn new(
        around: &mut Around,
        id: PartitionId,
        internal: bool,
        log: Log<RealDisk>,
        config: Arc<LogConfig>,
    ) -> Self {
        let (start, end) = (log.start(), log.end());
        let state = LogState {
            start,
            end,
            durable_end: log.durable_end(),
        };
        let shared = Arc::new(Shared::new(id, log.reader()));
        let rules: ReplicaConfig = around.hub.config.replica;
        let mut slot = Self {
            id,
            me: around.hub.config.broker,
            internal,
            shared,
            replica: Replica::new(around.hub.config.broker, rules, state),
            log,
            config,
            leader_waits: Waits::default(),
            all_waits: Waits::default(),
            delete_waits: Vec::new(),
            follower_starts: Vec::new(),
            following: None,
            confirmed: false,
            announced: false,
            touched: false,
            appended: false,
            dirty: false,
            sync_due: None,
            syncing: false,
            used_at: around.now,
            rested: false,
            generation: around.next_generation(),
            damage: None,
            damage_epoch: LeaderEpoch::NONE,
            upkeep_due: None,
            published_end: Offset(-1),
            published_start: Offset(-1),
            published_high_watermark: Offset(-1),
            served: false,
        };
        slot.publish();
        slot
    }

    /// To be settled at the end of the round.
    pub(super) fn touch(&mut self, around: &mut Around) {
        if !self.touched {
            self.touched = true;
            around.touched.push(self.id);
        }
    }

    /// The log has grown.
    pub(super) fn grown(&mut self, around: &mut Around) {
        self.appended = true;
        self.used_at = around.now;
        self.rested = false;
        self.touch(around);
        self.wants_sync(around);
    }

    fn wants_sync(&mut self, around: &mut Around) {
        if self.dirty || self.sync_due.is_some() {
            return;
        }
        match self.config.flush {
            Flush::Async { interval_ms } if !around.stopping => {
                let wait = i64::from(interval_ms);
                self.sync_due = Some(around.now.plus(wait));
                around.lazy.push(self.id);
            }
            _ => self.make_dirty(around),
        }
    }

    pub(super) fn make_dirty(&mut self, around: &mut Around) {
        self.sync_due = None;
        if !self.dirty {
            self.dirty = true;
            around.dirty.push(self.id);
        }
    }

    /// The sync cycle takes it.
    pub(super) fn clear_dirty(&mut self) {
        self.dirty = false;
    }

    /// It left the shard's lists while it was away.
    pub(super) fn enlist(&mut self, around: &mut Around) {
        if std::mem::take(&mut self.dirty) {
            self.make_dirty(around);
        }
        if self.sync_due.is_some() {
            around.lazy.push(self.id);
        }
        self.touched = false;
        self.touch(around);
    }

    /// Tells the rules what the round appended, and everybody else where things stand.
    pub(super) fn settle(&mut self, around: &mut Around) {
        self.touched = false;
        self.tell_appended(around);
        self.publish();
    }

    pub(super) fn tell_appended(&mut self, around: &mut Around) {
        if !std::mem::take(&mut self.appended) {
            return;
        }
        let end = self.log.end();
        self.step(around, Event::Appended { end });
        if self.is_async() {
            self.synced(around, end);
        }
    }

    fn is_async(&self) -> bool {
        matches!(self.config.flush, Flush::Async { .. })
    }

    /// What counts as durable: with `flush: async`, what is written.
    pub(super) fn counted_end(&self) -> Offset {
        if self.is_async() {
            self.log.end()
        } else {
            self.log.durable_end()
        }
    }

    pub(super) fn synced(&mut self, around: &mut Around, durable_end: Offset) {
        self.tell_appended(around);
        self.step(around, Event::Synced { durable_end });
        let reached = self.replica.log().durable_end;
        while let Some(wait) = self.leader_waits.pop_reached(reached) {
            wait.ticket.answer(Ok(wait.appended));
        }
        self.report(around);
    }

    /// Follower: tells the leader what is durable.
    pub(super) fn report(&self, around: &Around) {
        let Role::Follower { leader, epoch } = self.replica.role() else {
            return;
        };
        if !self.confirmed {
            return;
        }
        let report = wire::Report {
            partition: self.id,
            leader_epoch: epoch,
            durable_end: self.counted_end(),
            log_start: self.log.start(),
        };
        around.hub.followers.report(&around.hub, leader, report);
    }

    pub(super) fn fetch_position(&self, epoch: LeaderEpoch) -> FetchPosition {
        FetchPosition {
            epoch,
            offset: self.log.end(),
            last_epoch: self.log.latest_epoch(),
            log_start: self.log.start(),
        }
    }

    /// The high watermark last: whoever has seen it finds the others no older.
    pub(super) fn publish(&mut self) {
        let mut moved = None;
        let start = self.log.start();
        if start != self.published_start {
            self.published_start = start;
            self.shared.publish_start(start);
            moved = Some(Moved::Marks);
        }
        let end = self.log.end();
        if end != self.published_end {
            self.published_end = end;
            self.shared.publish_end(end);
            moved = Some(Moved::Records);
        }
        let high_watermark = self.replica.high_watermark();
        if high_watermark != self.published_high_watermark {
            self.published_high_watermark = high_watermark;
            self.shared.publish_high_watermark(high_watermark);
            moved = moved.or(Some(Moved::Marks));
        }
        let served = self.replica.hw_is_served();
        if served != self.served {
            self.served = served;
            self.shared.publish_high_watermark_served(served);
        }
        if let Some(moved) = moved {
            self.shared.mark_sessions(moved);
        }
    }

    /// Fails whatever waits here.
    pub(super) fn fail_waits(&mut self, error: &Error) {
        self.leader_waits.fail_all(error);
        self.all_waits.fail_all(error);
        for wait in self.delete_waits.drain(..) {
            wait.fail(error.clone());
        }
    }

    pub(super) fn has_waits(&self) -> bool {
        !(self.leader_waits.is_empty() && self.all_waits.is_empty() && self.delete_waits.is_empty())
    }

    pub(super) fn expire(&mut self, now: Millis) {
        self.leader_waits.expire(now);
        self.all_waits.expire(now);
        DeleteWait::expire(&mut self.delete_waits, now);
    }
}
