//! A shard's replicas come and go with the metadata.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracing::{error, info, warn};
use weir_core::replica::{Event, Membership};
use weir_storage::{DataFolder, Flush, Kept, Log, LogConfig, RealDisk, StorageError};
use weir_types::{Offset, PartitionId};

use super::around::Around;
use super::commands::{Assignment, ShardCommand};
use super::serving::Serving;
use super::shard::{Entry, Shard};
use super::slot::Slot;
use super::upkeep::UpkeepJob;

impl Shard {
    pub(super) fn assign(&mut self, assignment: Box<Assignment>) {
        let id = assignment.partition;
        match self.slots.get_mut(&id) {
            Some(Entry::Away(later)) => later.push(ShardCommand::Assign(assignment)),
            Some(Entry::Here(slot)) => {
                slot.follow_metadata(&mut self.around, assignment.membership, &assignment.config);
            }
            None => self.open(*assignment),
        }
    }

    /// The topic is gone, or others have its replicas now: the data here goes too.
    pub(super) fn unassign(&mut self, id: PartitionId) {
        let hub = Arc::clone(&self.around.hub);
        match self.slots.get_mut(&id) {
            Some(Entry::Away(later)) => return later.push(ShardCommand::Unassign(id)),
            Some(Entry::Here(slot)) => {
                hub.table.remove(id);
                let error = hub.why_not_led(id);
                slot.leave_role(&mut self.around, Serving::Nobody, &error);
            }
            None => self.set_broken(id, None),
        }
        // Closes the log. A sync that still runs holds the files by itself.
        self.slots.insert(id, Entry::Away(Vec::new()));
        hub.upkeep.push(UpkeepJob::Delete(id));
    }

    fn open(&mut self, assignment: Assignment) {
        let Assignment {
            partition: id,
            internal,
            membership,
            config,
            opened,
        } = assignment;
        let opened = match opened {
            Some(log) => Ok(log),
            None => self.open_log(id, &config),
        };
        let sound = opened
            .and_then(|log| self.sound(id, log, &membership))
            .and_then(|mut log| {
                log.set_config(LogConfig::clone(&config));
                note_kept(&self.around.hub.folder, id, &config, true)?;
                Ok(log)
            });
        let log = match sound {
            Ok(log) => log,
            Err(why) => {
                error!(partition = %id, %why, "the replica cannot be opened, and is not served");
                self.set_broken(id, Some(why.to_string()));
                self.around.storage_failed(id, "open the log", &why);
                return;
            }
        };
        self.set_broken(id, None);
        let mut slot = Box::new(Slot::new(&mut self.around, id, internal, log, config));
        self.around.hub.table.insert(Arc::clone(&slot.shared));
        slot.step(&mut self.around, Event::Metadata(membership));
        slot.touch(&mut self.around);
        self.slots.insert(id, Entry::Here(slot));
    }

    fn open_log(&self, id: PartitionId, config: &LogConfig) -> Result<Log<RealDisk>, StorageError> {
        let folder = &self.around.hub.folder;
        let mut config = config.clone();
        config.compact |= folder.kept(id)?.compacted;
        let (log, _) = folder.open_log(id, config, self.around.unix_now)?;
        Ok(log)
    }

    /// A damaged replica is never served. With a leader elsewhere it is emptied and copied from
    /// there; without one it stays as it is, for a person to look at.
    fn sound(
        &self,
        id: PartitionId,
        mut log: Log<RealDisk>,
        membership: &Membership,
    ) -> Result<Log<RealDisk>, StorageError> {
        let Some(why) = log.failure() else {
            return Ok(log);
        };
        let me = self.around.hub.config.broker;
        if membership.leader.is_none_or(|leader| leader == me) {
            return Err(why);
        }
        warn!(partition = %id, error = %why, "the damaged replica is emptied and copied anew");
        log.reset(Offset(0))?;
        Ok(log)
    }

    fn set_broken(&self, id: PartitionId, reason: Option<String>) {
        let hub = &self.around.hub;
        let was = i64::from(hub.table.why_broken(id).is_some());
        let is = i64::from(reason.is_some());
        hub.metrics.broken.fetch_add(is - was, Ordering::Relaxed);
        hub.table.set_broken(id, reason);
    }
}

impl Slot {
    fn follow_metadata(
        &mut self,
        around: &mut Around,
        membership: Membership,
        config: &Arc<LogConfig>,
    ) {
        if self.config != *config {
            self.change_config(around, config);
        }
        self.tell_appended(around);
        self.step(around, Event::Metadata(membership));
        self.copy_anew(around);
        self.settle_deletes();
        self.touch(around);
    }
}

impl Slot {
    fn change_config(&mut self, around: &mut Around, config: &Arc<LogConfig>) {
        info!(partition = %self.id, "topic config changed");
        if let Err(e) = note_kept(&around.hub.folder, self.id, config, false) {
            around.storage_failed(self.id, "note how the log is kept", &e);
            return;
        }
        self.log.set_config(LogConfig::clone(config));
        self.config = Arc::clone(config);
        if self.sync_due.is_some() {
            // The interval may be another one, or there may be none any more.
            self.make_dirty(around);
        }
    }
}

/// What the next recovery must know. That a log was compacted stays true; that it was written
/// without syncs, until it is opened again after all of it became durable.
fn note_kept(
    folder: &DataFolder<RealDisk>,
    id: PartitionId,
    config: &LogConfig,
    opening: bool,
) -> Result<(), StorageError> {
    let known = folder.kept(id)?;
    let is_async = matches!(config.flush, Flush::Async { .. });
    let wanted = Kept {
        compacted: known.compacted || config.compact,
        async_flush: is_async || (known.async_flush && !opening),
    };
    if wanted == known {
        return Ok(());
    }
    folder.set_kept(id, wanted)
}
