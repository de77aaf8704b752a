//! What can go wrong in a reconcile, and is tried again.

use thiserror::Error;

use crate::admin::AdminError;

/// A reconcile that did not get to its end. Every effect up to there holds, and the next attempt
/// goes on from what it finds.
#[derive(Debug, Error)]
pub enum Error {
    #[error("kubernetes: {0}")]
    Kube(#[from] kube::Error),
    #[error("broker: {0}")]
    Admin(#[from] AdminError),
    #[error("certificates: {0}")]
    Certificates(String),
    #[error("{kind} {name} is not ours: it lacks our label")]
    NotOurs { kind: String, name: String },
    /// Asking again brings the same until somebody changes what is asked for.
    #[error("the API server refuses {kind} {name}: {why}")]
    Invalid {
        kind: String,
        name: String,
        why: String,
    },
    #[error("cannot write {what}: {why}")]
    Encode { what: &'static str, why: String },
}

impl Error {
    /// The HTTP code of an answer of the API server.
    pub fn code(&self) -> Option<u16> {
        match self {
            Error::Kube(kube::Error::Api(status)) => Some(status.code),
            _ => None,
        }
    }
}

/// Whether the API server said that there is no such object.
pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
