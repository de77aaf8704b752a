//! What a leader answered, taken into the log.

use bytes::Bytes;
use tracing::{info, warn};
use weir_core::replica::{Event, Role};
use weir_storage::StorageError;
use weir_types::{BrokerId, LeaderEpoch, Offset};

use super::super::around::Around;
use super::super::commands::{AfterFetch, FetchOutcome, Fetched, FetchedItem};
use super::super::errors;
use super::super::metrics::add;
use super::super::shard::{Entry, Shard};
use super::super::slot::Slot;

impl Shard {
    pub(in super::super) fn fetched(&mut self, fetched: Fetched) {
        let Fetched {
            leader,
            items,
            reply,
        } = fetched;
        let mut after = Vec::with_capacity(items.len());
        for item in items {
            let id = item.partition;
            let next = match self.slots.get_mut(&id) {
                Some(Entry::Here(slot)) => slot.fetched(&mut self.around, leader, item),
                Some(Entry::Away(_)) => AfterFetch::Again,
                None => AfterFetch::Drop,
            };
            after.push((id, next));
        }
        // The fetcher is gone when the broker stops.
        let _ = reply.send(after);
    }
}

impl Slot {
    fn fetched(&mut self, around: &mut Around, from: BrokerId, item: FetchedItem) -> AfterFetch {
        let epoch = item.epoch;
        if around.stopping
            || self.damage.is_some()
            || self.replica.role()
                != (Role::Follower {
                    leader: from,
                    epoch,
                })
        {
            return AfterFetch::Drop;
        }
        let taken = match item.outcome {
            FetchOutcome::Records {
                bytes,
                high_watermark,
                log_start,
            } => self.take_records(around, epoch, &bytes, high_watermark, log_start),
            FetchOutcome::Diverging { epoch: theirs, end } => {
                self.take_divergence(around, epoch, theirs, end)
            }
            FetchOutcome::OutOfRange { log_start } => self.start_over(around, log_start),
        };
        match taken {
            Ok(Taken::Nothing) => AfterFetch::Same,
            Ok(Taken::Moved) => AfterFetch::From(self.fetch_position(epoch)),
            Ok(Taken::Unusable) => AfterFetch::Later(self.fetch_position(epoch)),
            Err(e) => {
                around.storage_failed(self.id, "take what the leader sent", &e);
                AfterFetch::Later(self.fetch_position(epoch))
            }
        }
    }

    fn take_records(
        &mut self,
        around: &mut Around,
        epoch: LeaderEpoch,
        bytes: &Bytes,
        high_watermark: Offset,
        log_start: Offset,
    ) -> Result<Taken, StorageError> {
        if !bytes.is_empty() {
            if let Err(e) = self.log.append_as_follower_at(bytes, Some(around.unix_now)) {
                return match errors::into_storage(e) {
                    Ok(storage) => Err(storage),
                    Err(other) => {
                        warn!(partition = %self.id, error = %other, "the leader's records do not fit");
                        Ok(Taken::Unusable)
                    }
                };
            }
            add(&around.hub.metrics.replicated_bytes, bytes.len());
            around.round_bytes += bytes.len();
            self.grown(around);
            self.tell_appended(around);
        }
        self.step(
            around,
            Event::LeaderAnswered {
                epoch,
                high_watermark,
                log_start,
            },
        );
        self.touch(around);
        let moves_start = log_start > self.log.start() && log_start <= self.log.end();
        if moves_start {
            self.log.advance_start(log_start)?;
        }
        if moves_start || !self.confirmed {
            self.confirmed = true;
            self.report(around);
        }
        Ok(if bytes.is_empty() {
            Taken::Nothing
        } else {
            Taken::Moved
        })
    }

    /// The leader's newest epoch not after our last one is `theirs`, and ends at `end` there.
    fn take_divergence(
        &mut self,
        around: &mut Around,
        leader_epoch: LeaderEpoch,
        theirs: LeaderEpoch,
        end: Offset,
    ) -> Result<Taken, StorageError> {
        let cut_to = match self.log.epoch_end(theirs) {
            Some((mine, my_end)) if mine == theirs => my_end.min(end),
            Some((_, my_end)) => my_end,
            None => self.log.start(),
        };
        if cut_to >= self.log.end() {
            // No records part, only an epoch that we began and that never got any.
            self.log.truncate(self.log.end())?;
        } else {
            self.step(
                around,
                Event::Diverged {
                    leader_epoch,
                    cut_to,
                },
            );
        }
        Ok(Taken::Moved)
    }

    /// The leader has nothing that ours could be continued with.
    fn start_over(&mut self, around: &mut Around, start: Offset) -> Result<Taken, StorageError> {
        if self.log.start() != start || self.log.end() != start {
            info!(partition = %self.id, end = %self.log.end(), %start,
                "log emptied: the leader's begins elsewhere");
        }
        self.log.reset(start)?;
        self.step(around, Event::Truncated { end: start });
        self.touch(around);
        Ok(Taken::Moved)
    }
}

enum Taken {
    /// No records.
    Nothing,
    /// The log's end is elsewhere now.
    Moved,
    /// To be asked for again.
    Unusable,
}
