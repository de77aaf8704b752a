//! One partition's log: segments, epochs, producers, behind a single writer.

mod append;
mod compact;
mod failure;
mod follow;
mod lookup;
mod open;
mod read;
mod recover;
mod retain;
mod scrub;
mod snapshots;
mod sync;
mod truncate;

pub use append::LeaderAppend;
pub use compact::Compacted;
pub use follow::FollowerAppend;
pub(crate) use open::Opening;
pub use read::{LogReader, Slice};
pub use recover::Recovery;
pub use retain::Retained;
pub use scrub::Verified;
pub use sync::{SyncDone, SyncJob};

use crate::{
    config::LogConfig,
    disk::{Disk, replace_file},
    epochs::Epochs,
    error::{Result, StorageError},
    folder::Room,
    format::start,
    marks::Marks,
    producer::Producers,
    segment::Segment,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use weir_types::{LeaderEpoch, Millis, Offset, PartitionId};

const EPOCHS_FILE: &str = "epochs";
const START_FILE: &str = "start";

/// Whether the log may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    Poisoned(String),
    Damaged(String),
}

/// What writer and readers see.
struct Shared<D: Disk> {
    disk: D,
    dir: PathBuf,
    partition: PartitionId,
    /// In order of base offset; the last one is active.
    segments: RwLock<Vec<Arc<Segment<D>>>>,
    start: AtomicI64,
    end: AtomicI64,
    health: RwLock<Health>,
}

impl<D: Disk> Shared<D> {
    fn segments(&self) -> Vec<Arc<Segment<D>>> {
        self.segments
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn with_segments<T>(&self, change: impl FnOnce(&mut Vec<Arc<Segment<D>>>) -> T) -> T {
        change(
            &mut self
                .segments
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// The segment that holds `offset`, and its index; the first one for what lies before.
    fn segment_at(&self, offset: i64) -> Option<(usize, Arc<Segment<D>>)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.base <= offset);
        let at = after.saturating_sub(1);
        segments.get(at).map(|segment| (at, Arc::clone(segment)))
    }

    fn segment_number(&self, at: usize) -> Option<Arc<Segment<D>>> {
        self.segments
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(at)
            .cloned()
    }

    fn health(&self) -> Health {
        self.health
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_health(&self, health: Health) {
        *self.health.write().unwrap_or_else(PoisonError::into_inner) = health;
    }

    fn start(&self) -> i64 {
        self.start.load(Ordering::Acquire)
    }

    fn end(&self) -> i64 {
        self.end.load(Ordering::Acquire)
    }

    fn check_readable(&self) -> Result<()> {
        match &*self.health.read().unwrap_or_else(PoisonError::into_inner) {
            Health::Damaged(reason) => Err(self.damaged(reason)),
            Health::Sound | Health::Poisoned(_) => Ok(()),
        }
    }

    fn check_writable(&self) -> Result<()> {
        match &*self.health.read().unwrap_or_else(PoisonError::into_inner) {
            Health::Sound => Ok(()),
            Health::Damaged(reason) => Err(self.damaged(reason)),
            Health::Poisoned(reason) => Err(StorageError::Poisoned {
                partition: self.partition,
                reason: reason.clone(),
            }),
        }
    }

    fn damaged(&self, reason: &str) -> StorageError {
        StorageError::Damaged {
            partition: self.partition,
            reason: reason.to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The log of one partition, and its only writer. Readers work beside it ([`Log::reader`]).
///
/// Nothing that is appended is durable before a [`SyncJob`] begun afterwards has run and
/// [`Log::finish_sync`] took its result; everything else that changes the log is durable when it
/// returns.
pub struct Log<D: Disk> {
    shared: Arc<Shared<D>>,
    marks: Arc<Marks<D>>,
    room: Arc<Room<D>>,
    config: Arc<LogConfig>,
    epochs: Epochs<D>,
    producers: Producers,
    durable_end: i64,
    /// Segments with bytes that no sync job has taken yet.
    dirty: Vec<Arc<Segment<D>>>,
    /// Names in the folder (and the folder's own, when new) that no sync job has taken yet.
    dirty_dirs: Vec<PathBuf>,
    sync_running: bool,
    /// Cuts so far: a sync job begun before a cut says nothing about what came after.
    generation: u64,
    /// When the active segment got its first batch.
    active_since: Option<Millis>,
    /// Unix time when the log was opened: what producers found in it count as seen.
    opened_at: Millis,
    /// Compaction need not run again while the log ends here.
    compacted_to: i64,
}

impl<D: Disk> Log<D> {
    pub fn partition(&self) -> PartitionId {
        self.shared.partition
    }

    /// First offset that can be read.
    pub fn start(&self) -> Offset {
        Offset(self.shared.start())
    }

    /// Offset of the next record.
    pub fn end(&self) -> Offset {
        Offset(self.shared.end())
    }

    /// Everything below survives a power loss.
    pub const fn durable_end(&self) -> Offset {
        Offset(self.durable_end)
    }

    /// Epoch of the last record, or of [`Log::start_epoch`]; -1: none.
    pub fn latest_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.epochs.latest())
    }

    /// Notes that `epoch` starts at `start` (KIP-101): called by a new leader. Durable with the
    /// next sync; if it is lost before, so is every record of that epoch.
    pub fn start_epoch(&mut self, epoch: LeaderEpoch, start: Offset) -> Result<()> {
        self.shared.check_writable()?;
        self.epochs.note(epoch.0, start.0)
    }

    /// The largest epoch that is not above `asked`, and the offset where it ends.
    pub fn epoch_end(&self, asked: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let (epoch, end) = self.epochs.end_of(asked.0, self.shared.end())?;
        Some((LeaderEpoch(epoch), Offset(end)))
    }

    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Takes effect with the next append or tick.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = Arc::new(config);
    }

    /// A handle for readers on any thread.
    pub fn reader(&self) -> LogReader<D> {
        LogReader::new(Arc::clone(&self.shared))
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.shared
            .segments()
            .iter()
            .map(|segment| segment.summary().size)
            .sum()
    }

    /// Why the log takes no more writes, if so.
    pub fn failure(&self) -> Option<StorageError> {
        self.shared.check_writable().err()
    }

    /// Whether something is not durable yet.
    pub fn is_dirty(&self) -> bool {
        self.sync_running || !self.dirty.is_empty() || self.durable_end < self.shared.end()
    }

    /// Closes files and drops indexes of sealed segments: for logs that nobody uses now. They
    /// come back by themselves.
    pub fn rest(&mut self) {
        let segments = self.shared.segments();
        let sealed = segments.len().saturating_sub(1);
        for (at, segment) in segments.iter().enumerate() {
            segment.close_file();
            if at < sealed {
                segment.unload_index();
            }
        }
    }

    /// Syncs everything and writes what makes the next start quick. Use the log no more.
    pub fn close(&mut self) -> Result<()> {
        self.sync_all()?;
        if self.shared.health() == Health::Sound {
            self.write_snapshot()?;
            let active = self.active();
            if active.summary().size > 0
                && let Err(error) = active.write_index()
            {
                tracing::warn!(%error, partition = %self.partition(), "index not written");
            }
        }
        self.rest();
        Ok(())
    }

    fn active(&self) -> Arc<Segment<D>> {
        self.shared.with_segments(|segments| {
            Arc::clone(
                segments
                    .last()
                    .expect("a log has at least its active segment"),
            )
        })
    }

    /// Notes where the log starts, durably.
    fn store_start(&self, start: i64) -> Result<()> {
        let path = self.shared.path(START_FILE);
        replace_file(&self.shared.disk, &path, &start::encode(start))
            .map_err(|error| StorageError::io("replace", &path, error))
    }
}
