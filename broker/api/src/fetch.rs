use bytes::Bytes;
use std::{fs::File, sync::Arc, time::Duration};
use weir_types::{BrokerId, LeaderEpoch, Offset};

use crate::{Error, TopicRef};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

/// Whose answer a consumer takes (KIP-392).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReadFrom {
    /// The leader's only.
    #[default]
    Leader,
    /// That of any replica. The leader may name one in the caller's `rack` (empty: it does not
    /// say) that is reached through `listener`.
    Any { rack: String, listener: String },
}

#[derive(Clone, Debug)]
pub struct FetchRequest {
    pub max_wait: Duration,
    pub min_bytes: usize,
    /// Bound on the whole answer; the first batch of the first non-empty partition is given even
    /// if it alone is larger (KIP-74).
    pub max_bytes: usize,
    pub isolation: Isolation,
    pub read_from: ReadFrom,
    pub partitions: Vec<FetchPartition>,
}

#[derive(Clone, Debug)]
pub struct FetchPartition {
    pub topic: TopicRef,
    pub index: i32,
    /// [`LeaderEpoch::NONE`] if the caller does not say.
    pub leader_epoch: LeaderEpoch,
    pub offset: Offset,
    /// Epoch of the last record that the caller has; [`LeaderEpoch::NONE`] if it does not say.
    pub last_fetched_epoch: LeaderEpoch,
    pub max_bytes: usize,
}

/// One partition's share of an answer.
#[derive(Clone, Debug)]
pub struct FetchedPartition {
    pub error: Option<Error>,
    /// -1 where `error` leaves it unknown.
    pub high_watermark: Offset,
    pub last_stable_offset: Offset,
    pub log_start: Offset,
    /// The caller's log parts from this one here: largest common epoch and its end.
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// Who leads, when `error` is [`Error::NotLeader`] or an epoch error.
    pub leader: Option<(BrokerId, LeaderEpoch)>,
    /// An in-sync replica in the caller's rack that is to be asked instead; there are no records
    /// then.
    pub preferred: Option<BrokerId>,
    pub records: RecordSlice,
}

/// Whole record batches, still on disk where that is possible.
#[derive(Clone, Debug)]
pub enum RecordSlice {
    Memory(Bytes),
    /// `len` bytes of `file` from `position`; sent with `sendfile`, unverified (the client checks
    /// the CRC). `cold` bytes are probably not in the page cache: read them off the async workers.
    File {
        file: Arc<File>,
        position: u64,
        len: usize,
        cold: bool,
    },
}

impl RecordSlice {
    pub const EMPTY: Self = Self::Memory(Bytes::new());

    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File { len, .. } => *len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether a fetch was answered because there was enough, or because time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    Enough,
    TimeUp,
}
