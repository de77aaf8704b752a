//! Records of `__consumer_offsets`, in Kafka's own formats.
//!
//! A key begins with its version, which says what kind of record it is; a missing value deletes.
//! Written: offset commits (key 1, value 3) and classic groups (key 2, value 3). Read: every value
//! version up to those. Kinds that are not known here (as KIP-848's) are skipped by the loader.

mod group_value;
mod key;
mod offset_value;
mod primitive;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub(super) use group_value::{read_group, write_group};
pub(super) use key::{Key, read_key, write_group_key, write_offset_key};
pub(super) use offset_value::{read_offset, write_offset};

/// Why bytes are not a record, or something cannot be written as one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum FormatError {
    #[error("a record ends too early")]
    Short,
    #[error("a record is longer than its fields")]
    Rest,
    #[error("a length or count is out of bounds")]
    Length,
    #[error("text is not UTF-8")]
    Text,
    #[error("value version {0} is not known")]
    Version(i16),
}
