//! Bodies of requests and answers: postcard, within the frame's bound.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::PeerFault;

/// Encodes a body.
///
/// # Errors
/// `Failed`, if the value cannot be represented (a sequence of unknown length).
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, PeerFault> {
    postcard::to_stdvec(value)
        .map(Bytes::from)
        .map_err(|e| PeerFault::Failed(format!("cannot encode: {e}")))
}

/// Decodes a body; postcard never allocates more than a small multiple of what it was given.
///
/// # Errors
/// `Malformed`.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, PeerFault> {
    postcard::from_bytes(body).map_err(|e| PeerFault::Malformed(e.to_string()))
}
