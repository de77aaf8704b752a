//! What can go wrong, by what the caller can do about it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;
use weir_types::{BrokerId, Offset, PartitionId};

/// A failure of the storage itself.
#[derive(Clone, Debug, Error)]
pub enum StorageError {
    /// The disk refused. The log is poisoned if this came from a write or a sync.
    #[error("{doing} {path}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: Arc<io::Error>,
    },
    /// No room. Nothing of the refused write is left; reads go on; a retry may help later.
    #[error("disk is full: {path}")]
    Full { path: PathBuf },
    /// Bytes that were durable once are missing or wrong. Only `Log::reset` helps.
    #[error("log of {partition} is damaged: {reason}")]
    Damaged {
        partition: PartitionId,
        reason: String,
    },
    /// A sync or write failed earlier: what the disk holds is unknown. Only a restart helps.
    #[error("log of {partition} takes no more writes: {reason}")]
    Poisoned {
        partition: PartitionId,
        reason: String,
    },
    /// Another process has the folder.
    #[error("data folder {path} is in use by another process")]
    Locked { path: PathBuf },
    /// The folder belongs to another broker.
    #[error("data folder {path} belongs to broker {found}, this is broker {expected}")]
    BrokerMismatch {
        path: PathBuf,
        expected: BrokerId,
        found: BrokerId,
    },
    /// The folder belongs to another cluster.
    #[error("data folder {path} belongs to cluster {found}, not to {expected}")]
    ClusterMismatch {
        path: PathBuf,
        expected: String,
        found: String,
    },
    /// Written by a newer version, or not by Weir at all.
    #[error("{path}: {reason}")]
    Format { path: PathBuf, reason: String },
    /// The caller asked for something that makes no sense; nothing happened.
    #[error("{0}")]
    Misuse(String),
}

impl StorageError {
    /// Wraps an error of the operating system; no room becomes [`StorageError::Full`].
    pub fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        if is_full(&source) {
            Self::Full {
                path: path.to_owned(),
            }
        } else {
            Self::Io {
                doing,
                path: path.to_owned(),
                source: Arc::new(source),
            }
        }
    }

    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

pub type Result<T> = std::result::Result<T, StorageError>;

/// Why records were not appended. Nothing was written, unless it says otherwise.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// The bytes are no record batch, or not the one that was sent (CRC).
    #[error("corrupt record batch: {0}")]
    Corrupt(String),
    /// A sound batch with contents that are not allowed.
    #[error("invalid record batch: {0}")]
    Invalid(String),
    #[error("record batch of {size} bytes, {max} are allowed")]
    TooLarge { size: usize, max: usize },
    #[error("unsupported compression type {0}")]
    UnsupportedCompression(u8),
    /// Message formats 0 and 1, which Kafka 4 dropped (KIP-724), or a newer one.
    #[error("unsupported message format {0}")]
    UnsupportedFormat(i8),
    #[error("timestamp {timestamp} is out of the accepted range")]
    InvalidTimestamp { timestamp: i64 },
    #[error("sequence {found} of producer {producer} where {expected} was due")]
    OutOfOrderSequence {
        producer: i64,
        expected: i32,
        found: i32,
    },
    #[error("sequence {found} of producer {producer} was seen long ago")]
    DuplicateSequence { producer: i64, found: i32 },
    #[error("epoch {found} of producer {producer} is older than {current}")]
    InvalidProducerEpoch {
        producer: i64,
        current: i16,
        found: i16,
    },
    #[error("producer {0} is unknown")]
    UnknownProducerId(i64),
    /// A follower's append that does not continue its log.
    #[error("batch at {found} where {expected} was due")]
    OffsetGap { expected: Offset, found: Offset },
    /// For `Full` nothing is left behind; after other storage errors the effect is unknown.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why nothing was read.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    #[error("offset {asked} is outside of {start}..={end}")]
    OffsetOutOfRange {
        asked: Offset,
        start: Offset,
        end: Offset,
    },
    #[error(transparent)]
    Storage(#[from] StorageError),
}
