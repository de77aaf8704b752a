//! A simulated broker: a disk that outlives it, and a process that comes and goes.

mod follower;
mod inbox;
mod leader;
mod out;
mod process;
mod shard;

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use weir_core::replica::ReplicaConfig;
use weir_storage::{AppendError, Log, ReadError, StorageError, SyncDone, SyncJob};
use weir_types::{BrokerId, LeaderEpoch, PartitionId};

pub use out::{Effect, Out, Sight, Timer};
pub use process::{Pending, Process, Start};
pub use shard::{Ctx, Shard};

use crate::disk::SimDisk;
use crate::message::Refusal;

pub type PartitionLog = Log<SimDisk>;
pub(crate) type Job = SyncJob<SimDisk>;
pub(crate) type Done = SyncDone;

/// Short, so that a run of two minutes sees many shrinks.
const REPLICA: ReplicaConfig = ReplicaConfig {
    lag_ms_max: 2_000,
    join_ms_max: 1_000,
    retry_ms: 100,
    proposal_ms_max: 3_000,
};

/// Where every broker keeps its folder on its own disk.
pub const FOLDER: &str = "/data";

/// The process cannot go on.
#[derive(Debug, Error)]
pub enum Broken {
    #[error("storage: {0}")]
    Storage(#[from] StorageError),
    #[error("append: {0}")]
    Append(#[from] AppendError),
    #[error("read: {0}")]
    Read(#[from] ReadError),
}

impl Broken {
    pub fn is_full(&self) -> bool {
        match self {
            Self::Storage(e)
            | Self::Append(AppendError::Storage(e))
            | Self::Read(ReadError::Storage(e)) => e.is_full(),
            _ => false,
        }
    }
}

pub(crate) fn folder_path() -> &'static Path {
    Path::new(FOLDER)
}

pub(crate) fn is_full(error: &AppendError) -> bool {
    matches!(error, AppendError::Storage(e) if e.is_full())
}

pub(crate) fn refusal_of(error: &AppendError, epoch: LeaderEpoch) -> Refusal {
    match error {
        AppendError::Storage(e) if e.is_full() => Refusal::StorageFull,
        AppendError::OutOfOrderSequence { .. } => Refusal::OutOfOrder(epoch),
        other => Refusal::Other(other.to_string()),
    }
}

/// When an armed power loss strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPoint {
    BeforeSync,
    /// On the disk, and nobody knows.
    AfterSync,
    /// Acknowledged by the log, and nobody told.
    AfterFinish,
    BeforeMark,
    AfterMark,
}

pub const SYNC_POINTS: [SyncPoint; 5] = [
    SyncPoint::BeforeSync,
    SyncPoint::AfterSync,
    SyncPoint::AfterFinish,
    SyncPoint::BeforeMark,
    SyncPoint::AfterMark,
];

/// One machine.
pub struct Machine {
    pub id: BrokerId,
    pub disk: SimDisk,
    pub process: Option<Box<Process>>,
    /// How wrong the wall clock is.
    pub skew_ms: i64,
    pub armed: Option<SyncPoint>,
    /// Syncs take this many times longer.
    pub slowness: u64,
    /// A sync will fail, or did.
    pub failing: bool,
    /// There is little room on the disk.
    pub full: bool,
    /// Its folder was lost, and the quorum does not know.
    pub awaits_new_folder: bool,
    /// It starts again by itself at this time, if it is down.
    pub starts_at_us: Option<u64>,
}

impl Machine {
    pub fn new(id: BrokerId, disk: SimDisk, skew_ms: i64) -> Self {
        Self {
            id,
            disk,
            process: None,
            skew_ms,
            armed: None,
            slowness: 1,
            failing: false,
            full: false,
            awaits_new_folder: false,
            starts_at_us: None,
        }
    }

    pub fn shard(&self, id: PartitionId) -> Option<&Shard> {
        self.process.as_ref()?.shards.get(&id)
    }

    /// The disk is quick, sound and has room again.
    pub fn relieve(&mut self) {
        self.slowness = 1;
        self.full = false;
        self.disk.faults().set_free_bytes(None);
    }

    /// Whether the disk did something for which a process may give up.
    pub fn may_break(&self, broken: &Broken) -> bool {
        self.failing || self.disk.is_out() || (self.full && broken.is_full())
    }
}

/// Metadata as everybody shares it.
pub type SharedImage = Arc<weir_core::cluster::Image>;
