//! What recovery must know of a log before the metadata is there to ask.

use crate::{
    disk::{Disk, read_file, replace_file},
    error::{Result, StorageError},
    folder::DataFolder,
    format::kept,
};
use weir_types::PartitionId;

const KEPT_FILE: &str = "kept";
const BYTES_MAX: u64 = 1024;
const COMPACTED: u8 = 1;
const ASYNC: u8 = 2;

/// How a log was kept since it was opened last. The default is not written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Compaction may have left gaps between its batches.
    pub compacted: bool,
    /// Writes may have been acknowledged that were not durable (`flush: async`).
    pub async_flush: bool,
}

impl<D: Disk> DataFolder<D> {
    /// What [`DataFolder::set_kept`] noted.
    ///
    /// # Errors
    /// `Io`, or `Format` for what another version wrote.
    pub fn kept(&self, partition: PartitionId) -> Result<Kept> {
        let path = self.partition_dir(partition).join(KEPT_FILE);
        let read = read_file(self.disk(), &path, BYTES_MAX);
        let Some(bytes) = read.map_err(|error| StorageError::io("read", &path, error))? else {
            return Ok(Kept::default());
        };
        let flags = kept::decode(&bytes).map_err(|reason| StorageError::Format { path, reason })?;
        Ok(Kept {
            compacted: flags & COMPACTED != 0,
            async_flush: flags & ASYNC != 0,
        })
    }

    /// Notes it, durably, for the next start. The partition's log was opened before.
    pub fn set_kept(&self, partition: PartitionId, kept: Kept) -> Result<()> {
        let path = self.partition_dir(partition).join(KEPT_FILE);
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = flag(kept.compacted, COMPACTED) | flag(kept.async_flush, ASYNC);
        replace_file(self.disk(), &path, &kept::encode(flags))
            .map_err(|error| StorageError::io("replace", &path, error))
    }
}
