//! What a replica finds around it in its shard.

use std::sync::Arc;
use weir_core::replica::Command;
use weir_storage::StorageError;
use weir_types::{Millis, PartitionId};

use super::hub::Hub;

pub(super) struct Around {
    pub(super) hub: Arc<Hub>,
    pub(super) shard: usize,
    /// Monotonic.
    pub(super) now: Millis,
    pub(super) unix_now: Millis,
    pub(super) stopping: bool,
    /// Replicas to settle at the end of the round.
    pub(super) touched: Vec<PartitionId>,
    /// Logs for the next sync cycle.
    pub(super) dirty: Vec<PartitionId>,
    /// Logs of `flush: async` topics that wait for their interval.
    pub(super) lazy: Vec<PartitionId>,
    /// Replicas whose waits may run out.
    pub(super) waiting: Vec<PartitionId>,
    /// Bytes appended in this round.
    pub(super) round_bytes: usize,
    /// Why nothing here may be served any more.
    pub(super) failure: Option<String>,
    pub(super) scratch: Vec<Command>,
    generation: u64,
}

impl Around {
    pub(super) fn new(hub: Arc<Hub>, shard: usize) -> Self {
        Self {
            hub,
            shard,
            now: Millis(0),
            unix_now: Millis(0),
            stopping: false,
            touched: Vec::new(),
            dirty: Vec::new(),
            lazy: Vec::new(),
            waiting: Vec::new(),
            round_bytes: 0,
            failure: None,
            scratch: Vec::new(),
            generation: 0,
        }
    }

    pub(super) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// A log could not do what it must. A full disk passes; anything else ends the service.
    pub(super) fn storage_failed(&mut self, id: PartitionId, doing: &str, error: &StorageError) {
        tracing::warn!(partition = %id, %error, "cannot {doing}");
        if !super::errors::passes(error) && self.failure.is_none() {
            self.failure = Some(format!("partition {id}: cannot {doing}: {error}"));
        }
    }
}
