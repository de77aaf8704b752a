//! The log on disk: record batches of Kafka's format 2 in segments, synced in groups, checked on
//! the way in, recovered after anything a disk may do.
//!
//! Synchronous: callers bring their own threads. [`DataFolder`] opens a [`Log`] for each
//! partition, which one writer owns; [`LogReader`]s read beside it. Everything goes through the
//! [`Disk`] trait, so that [`FaultyDisk`] can take the place of [`RealDisk`].
//!
//! **Invariant:** what is below a log's durable end survives a power loss, and nothing that was
//! not appended appears.

pub mod batch;
mod config;
mod disk;
mod epochs;
mod error;
mod folder;
mod format;
mod kept;
mod log;
mod marks;
mod producer;
mod segment;
mod walk;

pub use batch::{
    BatchBuilder, BatchHeader, Compression, HEADER_BYTES, Header, Record, RecordBatch,
    for_each_batch, for_each_record,
};
pub use config::{Flush, LOG_CONFIG_NAMES, LogConfig, TimestampType};
pub use disk::{
    Disk, DiskFile, FaultCounters, FaultyDisk, FaultyFile, FaultyLock, Open, RealDisk, RealFile,
    RealLock, Seeded,
};
pub use error::{AppendError, ReadError, StorageError};
pub use folder::{DataFolder, RoomState};
pub use kept::Kept;
pub use log::{
    Compacted, FollowerAppend, LeaderAppend, Log, LogReader, Recovery, Retained, Slice, SyncDone,
    SyncJob, Verified,
};
