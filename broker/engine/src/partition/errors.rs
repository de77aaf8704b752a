//! The storage's errors in the engine's words.

use weir_api::Error;
use weir_storage::{AppendError, ReadError, StorageError};

/// Whether the service may go on after this error: a full disk passes, damage is one partition's;
/// anything else means that the folder cannot be trusted with another write.
pub(super) fn passes(error: &StorageError) -> bool {
    matches!(
        error,
        StorageError::Full { .. } | StorageError::Damaged { .. } | StorageError::Misuse(_)
    )
}

pub(super) fn storage_of(error: &AppendError) -> Option<&StorageError> {
    match error {
        AppendError::Storage(e) => Some(e),
        _ => None,
    }
}

/// The storage's own failure, or a refusal of what was to be appended.
pub(super) fn into_storage(error: AppendError) -> Result<StorageError, AppendError> {
    match error {
        AppendError::Storage(e) => Ok(e),
        other => Err(other),
    }
}

pub(super) fn of_append(error: AppendError) -> Error {
    match error {
        AppendError::Corrupt(why) => Error::CorruptMessage(why),
        AppendError::Invalid(why) => Error::InvalidRecord(why),
        AppendError::TooLarge { .. } => Error::MessageTooLarge,
        AppendError::UnsupportedCompression(_) => Error::UnsupportedCompression,
        AppendError::UnsupportedFormat(_) => Error::UnsupportedFormat,
        AppendError::InvalidTimestamp { .. } => Error::InvalidTimestamp,
        AppendError::OutOfOrderSequence { .. } => Error::OutOfOrderSequence,
        AppendError::DuplicateSequence { .. } => Error::DuplicateSequence,
        AppendError::InvalidProducerEpoch { .. } => Error::InvalidProducerEpoch,
        AppendError::UnknownProducerId(_) => Error::UnknownProducerId,
        gap @ AppendError::OffsetGap { .. } => Error::InvalidRecord(gap.to_string()),
        AppendError::Storage(e) => Error::Storage(e.to_string()),
    }
}

pub(super) fn of_read(error: &ReadError) -> Error {
    match error {
        ReadError::OffsetOutOfRange { .. } => Error::OffsetOutOfRange,
        other => Error::Storage(other.to_string()),
    }
}
