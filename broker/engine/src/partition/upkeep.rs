//! Retention, compaction and deletion, on a thread of their own: a replica is sent there whole,
//! and what comes for it meanwhile waits in its shard.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use tracing::{info, warn};
use weir_storage::{StorageError, Verified};
use weir_types::{Millis, Offset, PartitionId};

use super::clock::unix_now;
use super::commands::ShardCommand;
use super::hub::Hub;
use super::slot::Slot;

/// A log that was not appended to for this long gives up its open files and its memory.
const IDLE_MS: i64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    Retain,
    Compact,
    /// Verify the sealed segment that starts there.
    Verify(Offset),
}

pub(super) enum UpkeepJob {
    Chore(Chore, Box<Slot>),
    Delete(PartitionId),
}

pub(super) fn start(hub: &Arc<Hub>) -> io::Result<JoinHandle<()>> {
    let hub = Arc::clone(hub);
    std::thread::Builder::new()
        .name("weir-upkeep".to_owned())
        .spawn(move || {
            while let Some(job) = hub.upkeep.take_one() {
                run(&hub, job);
            }
        })
}

fn run(hub: &Hub, job: UpkeepJob) {
    match job {
        UpkeepJob::Chore(chore, mut slot) => {
            let id = slot.id;
            if let Err(error) = work(hub, chore, &mut slot) {
                warn!(partition = %id, %error, ?chore, "upkeep failed");
                if !super::errors::passes(&error) {
                    hub.fail(format!("partition {id}: {chore:?}: {error}"));
                }
            }
            hub.send(id, ShardCommand::Returned(slot));
        }
        UpkeepJob::Delete(id) => {
            if let Err(error) = hub.folder.delete_log(id) {
                warn!(partition = %id, %error, "cannot delete a partition's data");
                // A failed sync of the folder concerns the names of other partitions too.
                if !super::errors::passes(&error) {
                    hub.fail(format!("partition {id}: cannot delete its data: {error}"));
                }
            } else {
                info!(partition = %id, "partition's data deleted");
            }
            hub.send(id, ShardCommand::Deleted(id));
        }
    }
}

fn work(hub: &Hub, chore: Chore, slot: &mut Slot) -> Result<(), StorageError> {
    let high_watermark = slot.replica.high_watermark();
    match chore {
        Chore::Retain => drop(slot.log.retain(unix_now(), high_watermark)?),
        Chore::Compact => drop(slot.log.compact(unix_now(), high_watermark)?),
        Chore::Verify(base) => {
            if let Verified::Invalid(what) = slot.log.verify_sealed(base)? {
                slot.damage = Some(format!("segment {base}: {what}"));
            }
        }
    }
    // The chore itself has opened files.
    slot.rested = false;
    slot.rest_if_idle(hub.clock.now());
    Ok(())
}

impl Slot {
    pub(super) fn rest_if_idle(&mut self, now: Millis) {
        if !self.rested && !self.syncing && now.since(self.used_at) > IDLE_MS {
            self.log.rest();
            self.rested = true;
        }
    }
}
