use weir_types::{LeaderEpoch, Offset};

/// Which offset is asked for (ListOffsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// Log start.
    Earliest,
    /// High watermark, or the last stable offset for read-committed callers.
    Latest,
    /// Of the record with the greatest timestamp (KIP-734).
    MaxTimestamp,
    /// First offset that is on local disk (KIP-405); log start here.
    EarliestLocal,
    /// Highest offset in remote storage (KIP-1005); there is none.
    LatestTiered,
    /// First record at or after this Unix time, milliseconds.
    Timestamp(i64),
}

/// -1 in a field: there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    pub offset: Offset,
    pub timestamp_ms: i64,
    pub leader_epoch: LeaderEpoch,
}

/// Answer to OffsetForLeaderEpoch (KIP-101): -1 in both if the epoch is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    pub leader_epoch: LeaderEpoch,
    pub end_offset: Offset,
}
