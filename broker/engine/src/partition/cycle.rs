//! A shard's sync cycles.

use tracing::warn;
use weir_types::{Offset, PartitionId};

use super::shard::{Entry, Shard};
use super::sync::{FinishedCycle, Opening};
use super::upkeep::UpkeepJob;

/// Replicas of a shard that are away at once: each of them keeps its callers waiting.
const UPKEEP_AWAY_MAX: usize = 2;

impl Shard {
    /// Syncs what was appended since the last cycle began, unless that one still runs: then it
    /// is the next one's.
    pub(super) fn begin_cycle(&mut self) {
        if self.cycling || self.around.dirty.is_empty() {
            return;
        }
        let mut jobs = Vec::with_capacity(self.around.dirty.len());
        for id in std::mem::take(&mut self.around.dirty) {
            // One that is away comes back to the list by itself.
            let Some(Entry::Here(slot)) = self.slots.get_mut(&id) else {
                continue;
            };
            slot.clear_dirty();
            if let Some(job) = slot.log.begin_sync() {
                slot.syncing = true;
                let generation = slot.generation;
                let opening = Opening {
                    partition: id,
                    generation,
                };
                jobs.push((opening, job));
            } else if let Some(e) = slot.log.failure() {
                self.around.storage_failed(id, "sync the log", &e);
            } else {
                // Upkeep has synced it meanwhile.
                let counted = slot.counted_end();
                slot.synced(&mut self.around, counted);
                slot.touch(&mut self.around);
            }
        }
        if jobs.is_empty() {
            return;
        }
        self.cycling = true;
        self.syncs.begin(jobs, &self.inbox);
    }

    pub(super) fn end_cycle(&mut self, cycle: FinishedCycle) {
        self.cycling = false;
        self.around
            .hub
            .metrics
            .cycle(cycle.took, cycle.done.len() as u64);
        let mut marks: Vec<(PartitionId, Offset)> = Vec::with_capacity(cycle.done.len());
        for (opening, done) in cycle.done {
            let id = opening.partition;
            let Some(Entry::Here(slot)) = self.slots.get_mut(&id) else {
                continue;
            };
            if slot.generation != opening.generation {
                continue;
            }
            slot.syncing = false;
            match slot.log.finish_sync(done) {
                Ok(durable_end) => marks.push((id, durable_end)),
                Err(e) => {
                    // Never tried again: the kernel may have dropped the pages (fsyncgate).
                    warn!(partition = %id, error = %e, "fdatasync failed");
                    let reason = format!("partition {id}: fdatasync failed: {e}");
                    self.around.failure.get_or_insert(reason);
                }
            }
        }
        if self.around.failure.is_some() {
            return;
        }
        if let Err(e) = self.around.hub.folder.record_marks(&marks) {
            let reason = format!("cannot record durable marks: {e}");
            self.around.failure.get_or_insert(reason);
            return;
        }
        for (id, _) in marks {
            if let Some(Entry::Here(slot)) = self.slots.get_mut(&id) {
                let counted = slot.counted_end();
                slot.synced(&mut self.around, counted);
                slot.touch(&mut self.around);
            }
            self.send_to_upkeep(id);
        }
    }

    /// If a chore is due and no sync runs.
    pub(super) fn send_to_upkeep(&mut self, id: PartitionId) {
        let Some(entry) = self.slots.get_mut(&id) else {
            return;
        };
        let chore = match entry {
            Entry::Here(slot) if !slot.syncing => slot.upkeep_due.take(),
            _ => None,
        };
        let Some(chore) = chore else { return };
        if let Entry::Here(mut slot) = std::mem::replace(entry, Entry::Away(Vec::new())) {
            slot.settle(&mut self.around);
            self.upkeep_away += 1;
            self.around.hub.upkeep.push(UpkeepJob::Chore(chore, slot));
        }
    }

    /// Sends the next few whose turn it is; one that is being synced goes when that is done.
    pub(super) fn next_upkeep(&mut self) {
        while self.upkeep_away < UPKEEP_AWAY_MAX && !self.around.stopping {
            let Some(id) = self.upkeep_queue.pop_front() else {
                return;
            };
            self.send_to_upkeep(id);
        }
    }
}
