//! What a leader knows of one follower.

use weir_types::{BrokerEpoch, BrokerId, Millis, Offset};

/// A follower's positions under the current leader epoch. A new leader knows none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) id: BrokerId,
    /// The registration under which it told us the positions below.
    epoch: Option<BrokerEpoch>,
    fetched: Option<Offset>,
    durable: Option<Offset>,
    /// The last moment at which it is known to have had everything that we had then.
    caught_up_at: Option<Millis>,
    /// A moment and our end at it: once the follower is there, it was caught up at that moment.
    target: Option<(Millis, Offset)>,
}

impl Progress {
    /// `grace_from`: members of the ISR count as caught up at the moment we became leader.
    pub(super) fn new(id: BrokerId, grace_from: Option<Millis>) -> Self {
        Self {
            id,
            epoch: None,
            fetched: None,
            durable: None,
            caught_up_at: grace_from,
            target: None,
        }
    }

    /// The end of what is durable there and known to match our log; none while unknown.
    ///
    /// A durable end beyond what it fetched is not believed: it could be from before a cut.
    pub(super) fn position(&self) -> Option<Offset> {
        Some(self.fetched?.min(self.durable?))
    }

    /// The end of what it holds, and of what is durable of that; none while unknown.
    pub(super) fn held(&self) -> Option<(Offset, Offset)> {
        Some((self.fetched?, self.position()?))
    }

    pub(super) fn is_of_epoch(&self, epoch: BrokerEpoch) -> bool {
        self.epoch == Some(epoch)
    }

    /// Forgets the positions of an earlier registration. False if `epoch` is that of a zombie.
    #[must_use]
    pub(super) fn enter_epoch(&mut self, epoch: BrokerEpoch) -> bool {
        if self.epoch.is_some_and(|known| epoch < known) {
            return false;
        }
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            self.fetched = None;
            self.durable = None;
            self.target = None;
        }
        true
    }

    pub(super) fn fetched(&mut self, now: Millis, offset: Offset, leader_end: Offset) {
        self.fetched = Some(offset);
        self.note_caught_up(now, leader_end);
    }

    pub(super) fn synced(&mut self, now: Millis, durable_end: Offset, leader_end: Offset) {
        self.durable = self.durable.max(Some(durable_end));
        self.note_caught_up(now, leader_end);
    }

    /// The leader's log grows: up to now, who had all of it was caught up.
    pub(super) fn leader_grows(&mut self, now: Millis, old_end: Offset, new_end: Offset) {
        if self.position().is_some_and(|p| p >= old_end) {
            self.caught_up_at = self.caught_up_at.max(Some(now));
            self.target = Some((now, new_end));
        }
    }

    /// It joins the ISR: it gets the whole lag time from now on.
    pub(super) fn joins(&mut self, now: Millis) {
        self.caught_up_at = self.caught_up_at.max(Some(now));
    }

    /// Had everything within the last `lag_ms_max`, or has it now (Kafka's `isCaughtUp`).
    pub(super) fn is_caught_up(&self, now: Millis, leader_end: Offset, lag_ms_max: i64) -> bool {
        self.position().is_some_and(|p| p >= leader_end)
            || self
                .caught_up_at
                .is_some_and(|at| now.since(at) <= lag_ms_max)
    }

    fn note_caught_up(&mut self, now: Millis, leader_end: Offset) {
        let Some(position) = self.position() else {
            return;
        };
        if position >= leader_end {
            self.caught_up_at = self.caught_up_at.max(Some(now));
            self.target = None;
            return;
        }
        match self.target {
            // Under load a follower never stands at the present end, only at that of a moment ago.
            Some((at, end)) if position >= end => {
                self.caught_up_at = self.caught_up_at.max(Some(at));
                self.target = Some((now, leader_end));
            }
            Some(_) => {}
            None => self.target = Some((now, leader_end)),
        }
    }
}
