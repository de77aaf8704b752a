//! What a replica is given and what it says of itself.

use weir_types::{BrokerId, LeaderEpoch, Offset};

/// What an operator may tune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaConfig {
    /// A follower that has not been caught up for longer leaves the ISR
    /// (`replica.lag.time.max.ms`).
    pub lag_ms_max: i64,
    /// A follower outside the ISR that was caught up no longer ago than this is about to join, and
    /// the high watermark waits for it: else one that is a round trip behind never would under
    /// load. Shorter than `lag_ms_max`, for who needs longer (it is throttled, or was away) would
    /// hold writes up all the while.
    pub join_ms_max: i64,
    /// Pause before an ISR is proposed again after a refusal.
    pub retry_ms: i64,
    /// A proposal without an answer, or refused as stale without newer metadata, is made again
    /// after this.
    pub proposal_ms_max: i64,
}

impl Default for ReplicaConfig {
    fn default() -> Self {
        Self {
            lag_ms_max: 30_000,
            join_ms_max: 2_000,
            retry_ms: 200,
            proposal_ms_max: 10_000,
        }
    }
}

/// The local log as it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogState {
    pub start: Offset,
    /// Exclusive.
    pub end: Offset,
    /// Exclusive; what survives a power loss.
    pub durable_end: Offset,
}

/// What this replica is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Leader {
        epoch: LeaderEpoch,
    },
    Follower {
        leader: BrokerId,
        epoch: LeaderEpoch,
    },
    /// The partition has no leader, or we are none of its replicas.
    Idle,
}
