//! Delete-records: moving a log's start on all live replicas.

use tokio::sync::oneshot;
use weir_api::{Error, Result};
use weir_core::replica::Role;
use weir_types::{BrokerId, Millis, Offset};

use super::around::Around;
use super::slot::Slot;

/// Somebody waits until every live replica starts at `target` or later.
pub(super) struct DeleteWait {
    target: Offset,
    deadline: Millis,
    reply: oneshot::Sender<Result<Offset>>,
}

impl DeleteWait {
    pub(super) fn fail(self, error: Error) {
        // The caller may have given up.
        let _ = self.reply.send(Err(error));
    }

    pub(super) fn expire(waits: &mut Vec<Self>, now: Millis) {
        if waits.iter().all(|w| w.deadline > now) {
            return;
        }
        for wait in std::mem::take(waits) {
            if wait.deadline > now {
                waits.push(wait);
            } else {
                wait.fail(Error::TimedOut);
            }
        }
    }
}

impl Slot {
    pub(super) fn delete_records(
        &mut self,
        around: &mut Around,
        before: Offset,
        deadline: Millis,
        reply: oneshot::Sender<Result<Offset>>,
    ) {
        match self.move_start(around, before) {
            Err(error) => drop(reply.send(Err(error))),
            Ok(target) => {
                self.touch(around);
                if !self.has_waits() {
                    around.waiting.push(self.id);
                }
                self.delete_waits.push(DeleteWait {
                    target,
                    deadline,
                    reply,
                });
                self.settle_deletes();
            }
        }
    }

    fn move_start(&mut self, around: &mut Around, before: Offset) -> Result<Offset> {
        if !matches!(self.replica.role(), Role::Leader { .. }) {
            return Err(around.hub.why_not_led(self.id));
        }
        let high_watermark = self.replica.high_watermark();
        let target = if before.0 == -1 {
            high_watermark
        } else {
            before
        };
        if target > high_watermark || target.0 < 0 {
            return Err(Error::OffsetOutOfRange);
        }
        if self.config.compact && !self.config.delete {
            let why = "records of a compacted topic cannot be deleted".to_owned();
            return Err(Error::PolicyViolation(why));
        }
        if target > self.log.start()
            && let Err(e) = self.log.advance_start(target)
        {
            around.storage_failed(self.id, "move the log's start", &e);
            return Err(Error::Storage(e.to_string()));
        }
        Ok(target)
    }

    /// A follower says where its log starts.
    pub(super) fn note_start(&mut self, follower: BrokerId, start: Offset) {
        match self
            .follower_starts
            .iter_mut()
            .find(|(id, _)| *id == follower)
        {
            Some((_, known)) => *known = (*known).max(start),
            None => self.follower_starts.push((follower, start)),
        }
        self.settle_deletes();
    }

    /// Answers those whose target all live replicas have reached.
    pub(super) fn settle_deletes(&mut self) {
        if self.delete_waits.is_empty() {
            return;
        }
        let me = self.log.start();
        let starts = &self.follower_starts;
        let of = |id: BrokerId| starts.iter().find(|(f, _)| *f == id).map(|(_, s)| *s);
        let live = self.replica.membership().map_or(&[][..], |m| &m.live);
        let others = live.iter().map(|(id, _)| *id).filter(|id| *id != self.me);
        let least = others.map(|id| of(id).unwrap_or(Offset(-1))).min();
        let reached = least.map_or(me, |l| l.min(me));
        for wait in std::mem::take(&mut self.delete_waits) {
            if wait.target <= reached {
                // The caller may have given up.
                let _ = wait.reply.send(Ok(me));
            } else {
                self.delete_waits.push(wait);
            }
        }
    }
}
