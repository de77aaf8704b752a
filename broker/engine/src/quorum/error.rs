//! What can go wrong with the quorum.

use std::time::Duration;
use thiserror::Error;
use weir_core::cluster::ClusterError;
use weir_types::BrokerId;

/// Why a proposal has no result.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProposeError {
    /// Decided by the metadata: nothing changed.
    #[error(transparent)]
    Refused(#[from] ClusterError),
    /// No controller could be reached: nothing changed, worth a retry.
    #[error("the metadata quorum is unavailable: {0}")]
    Unavailable(String),
    /// It may or may not have been applied; look at the image, or retry what is idempotent.
    #[error("the fate of the proposal is unknown: {0}")]
    Unknown(String),
}

/// Why this broker cannot be part of the quorum. None of these goes away by waiting.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum QuorumError {
    #[error("metadata in {folder}: {reason}")]
    Storage { folder: String, reason: String },
    #[error("this folder belongs to cluster {have}, not {asked}")]
    OtherCluster { have: String, asked: String },
    #[error(
        "another process with a folder of its own is alive as broker {broker}, for more than {} s: \
         two brokers have the same id", waited.as_secs()
    )]
    DuplicateBroker { broker: BrokerId, waited: Duration },
    #[error("the metadata of this broker stopped: {0}")]
    Fatal(String),
    #[error("the quorum cannot be formed: {0}")]
    NotFormed(String),
    #[error("stopped")]
    Stopped,
}
