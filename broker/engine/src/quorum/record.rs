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

/// Each kind's layout, as this release writes it; of snapshots there is a second one.
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
    encode_as(kind, VERSION, value)
}

/// [`encode`] for kinds that have more than one layout.
///
/// # Errors
/// The value cannot be represented.
pub fn encode_as<T: Serialize>(kind: Kind, version: u8, value: &T) -> io::Result<Vec<u8>> {
    postcard::to_extend(value, vec![kind as u8, version]).map_err(io::Error::other)
}

/// # Errors
/// `InvalidData`: another kind or version than this release knows, or bytes that do not parse.
pub fn decode<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> io::Result<T> {
    let (_, body) = open(kind, VERSION, bytes)?;
    parse(kind, body)
}

/// A record's version, 1 to `newest`, and what it holds.
///
/// # Errors
/// `InvalidData`: another kind, or a version that this release does not know.
pub fn open(kind: Kind, newest: u8, bytes: &[u8]) -> io::Result<(u8, &[u8])> {
    let [found, version, body @ ..] = bytes else {
        return Err(invalid(format!(
            "a metadata record of {} bytes",
            bytes.len()
        )));
    };
    if *found == kind as u8 && (1..=newest).contains(version) {
        return Ok((*version, body));
    }
    Err(invalid(format!(
        "metadata record of kind {found} version {version} where kind {} up to version {newest} \
         is known: was it written by a newer release?",
        kind as u8
    )))
}

/// # Errors
/// `InvalidData`: bytes that do not parse.
pub fn parse<T: DeserializeOwned>(kind: Kind, body: &[u8]) -> io::Result<T> {
    postcard::from_bytes(body).map_err(|e| {
        let kind = kind as u8;
        invalid(format!(
            "metadata record of kind {kind} does not parse ({e}): damaged, or written by a newer \
             release"
        ))
    })
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::cluster::ClusterCommand;
    use weir_types::OperatorEpoch;

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

    #[test]
    fn a_command_is_nested_once_and_no_deeper() {
        let wrap = |command| ClusterCommand::AsOperator {
            epoch: OperatorEpoch(3),
            command: Box::new(command),
        };
        let read = |command: &ClusterCommand| {
            let bytes = encode(Kind::Entry, command).expect("encodes");
            decode::<ClusterCommand>(Kind::Entry, &bytes)
        };
        let once = wrap(ClusterCommand::ElectPreferred { partitions: None });
        let mut deep = once.clone();
        for _ in 0..3 {
            deep = wrap(deep);
            assert!(read(&deep).is_err());
        }
        // Nor does a refused one leave anything behind.
        assert_eq!(read(&once).expect("decodes"), once);
    }
}
