//! What can go wrong between two brokers.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// Why a call gave no answer. [`PeerError::may_have_happened`] tells whether the other side may
/// have acted on it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PeerError {
    #[error("cannot connect to {address}: {reason}")]
    Connect { address: String, reason: String },
    #[error("no answer from {address} within {} ms", timeout.as_millis())]
    Timeout { address: String, timeout: Duration },
    #[error("the connection to {address} broke: {reason}")]
    Broken { address: String, reason: String },
    #[error("a request of {bytes} bytes is over the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("too many requests in flight to {address}")]
    Overloaded { address: String },
    #[error("{address} answered: {fault}")]
    Fault { address: String, fault: PeerFault },
}

impl PeerError {
    /// Whether the other side may have carried the request out. A fault is an answer: what it
    /// means for the effect is up to the service.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::TooLarge { .. } | Self::Overloaded { .. } => false,
            Self::Timeout { .. } | Self::Broken { .. } => true,
            Self::Fault { fault, .. } => matches!(fault, PeerFault::Failed(_)),
        }
    }
}

/// An answer that is a refusal. Services put their own typed errors into the body; these are for
/// requests that never got as far.
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerFault {
    /// Nobody here serves this kind (yet): a broker that is starting, or an older one.
    #[error("no service for requests of kind {0:#06x}")]
    UnknownKind(u16),
    #[error("malformed request: {0}")]
    Malformed(String),
    /// Not done, for now; worth a retry.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Went wrong half-way.
    #[error("failed: {0}")]
    Failed(String),
}
