//! The end of a log's service: what the disk holds is unknown.

use super::{Health, Log};
use crate::{
    disk::Disk,
    error::{Result, StorageError},
};

impl<D: Disk> Log<D> {
    pub(super) fn poison(&self, reason: String) -> StorageError {
        tracing::error!(partition = %self.partition(), %reason, "log takes no more writes");
        self.shared.set_health(Health::Poisoned(reason.clone()));
        StorageError::Poisoned {
            partition: self.partition(),
            reason,
        }
    }

    /// Passes the result on. After the disk refused what was to be durable, the log takes no more
    /// writes: a later sync may claim to have worked, and prove nothing.
    pub(super) fn poison_if_refused<T>(&self, doing: &str, result: Result<T>) -> Result<T> {
        if let Err(error @ StorageError::Io { .. }) = &result {
            self.poison(format!("{doing} failed: {error}"));
        }
        result
    }
}
