use std::io;
use thiserror::Error;

use crate::codec::DecodeError;

/// Why a connection ended.
#[derive(Debug, Error)]
pub(crate) enum End {
    #[error("the client left")]
    Left,
    #[error("the broker stops")]
    Stop,
    #[error("nothing happened for too long")]
    Idle,
    #[error("input or output failed: {0}")]
    Io(#[from] io::Error),
    #[error("a request claims {0} bytes, which is not allowed")]
    Oversized(i32),
    #[error("a request arrived too slowly")]
    Slow,
    #[error("a request of API {api_key} version {api_version} cannot be read: {source}")]
    Undecodable {
        api_key: i16,
        api_version: i16,
        source: DecodeError,
    },
    #[error("API {api_key} version {api_version} is not served")]
    UnknownApi { api_key: i16, api_version: i16 },
    /// Nothing else tells a producer that waits for no acknowledgement.
    #[error("a write without acknowledgement failed")]
    FailedSilently,
}
