//! Records on disk: kind, version, then postcard.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io;

/// What a record is; the number is on disk and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Entry = 1,
    Vote = 2,
    LogId = 3,
    Identity = 4,
    Snapshot = 5,
}

/// Each kind's layout, as this release writes it.
const VERSION: u8 = 1;

/// Who this folder is in which quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub cluster_id: String,
    pub node: u64,
    /// This node is to be the cluster's first voter, alone.
    pub founder: bool,
}

/// # Errors
/// The value cannot be represented.
pub fn encode<T: Serialize>(kind: Kind, value: &T) -> io::Result<Vec<u8>> {
    postcard::to_extend(value, vec![kind as u8, VERSION]).map_err(io::Error::other)
}

/// # Errors
/// `InvalidData`: another kind or version than this release knows, or bytes that do not parse.
pub fn decode<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> io::Result<T> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let [found, version, body @ ..] = bytes else {
        return Err(invalid(format!(
            "a metadata record of {} bytes",
            bytes.len()
        )));
    };
    if (*found, *version) != (kind as u8, VERSION) {
        return Err(invalid(format!(
            "metadata record of kind {found} version {version} where kind {} version {VERSION} is \
             known: was it written by a newer release?",
            kind as u8
        )));
    }
    postcard::from_bytes(body).map_err(|e| {
        invalid(format!(
            "metadata record of kind {found} version {version} does not parse ({e}): damaged, or \
             written by a newer release"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_an_unknown_kind_or_version_is_refused() {
        let mut bytes = encode(Kind::LogId, &7u64).expect("encodes");
        assert_eq!(decode::<u64>(Kind::LogId, &bytes).expect("decodes"), 7);
        assert!(decode::<u64>(Kind::Vote, &bytes).is_err());
        bytes[1] = 9;
        let error = decode::<u64>(Kind::LogId, &bytes).expect_err("newer version");
        assert!(error.to_string().contains("newer release"), "{error}");
        assert!(decode::<u64>(Kind::LogId, &[3]).is_err());
    }
}
