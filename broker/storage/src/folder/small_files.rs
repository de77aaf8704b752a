//! The small files beside the partitions: who the folder is, and how it was left.

use super::{CLEAN_FILE, META_FILE};
use crate::{
    disk::{Disk, read_file, replace_file},
    error::{Result, StorageError},
    format::{clean, meta::Meta},
};
use std::path::Path;
use weir_types::{BrokerId, FolderId};

const SMALL_BYTES_MAX: u64 = 64 * 1024;

pub(super) fn load_meta<D: Disk>(
    disk: &D,
    path: &Path,
    broker: BrokerId,
    new_id: impl FnOnce() -> FolderId,
) -> Result<Meta> {
    let file = path.join(META_FILE);
    let io = |error| StorageError::io("read", &file, error);
    let Some(bytes) = read_file(disk, &file, SMALL_BYTES_MAX).map_err(io)? else {
        let meta = Meta {
            broker,
            folder: new_id(),
            cluster: None,
        };
        store(disk, &file, &meta.encode())?;
        return Ok(meta);
    };
    let meta = Meta::decode(&bytes).map_err(|reason| StorageError::Format {
        path: file.clone(),
        reason,
    })?;
    if meta.broker != broker {
        let path = path.to_owned();
        return Err(StorageError::BrokerMismatch {
            path,
            expected: broker,
            found: meta.broker,
        });
    }
    Ok(meta)
}

/// Whether there is the marker of an orderly stop; it is gone, durably, afterwards.
pub(super) fn take_clean<D: Disk>(disk: &D, path: &Path, folder: FolderId) -> Result<bool> {
    let file = path.join(CLEAN_FILE);
    let io = |error| StorageError::io("read", &file, error);
    let Some(bytes) = read_file(disk, &file, SMALL_BYTES_MAX).map_err(io)? else {
        return Ok(false);
    };
    disk.remove(&file).map_err(io)?;
    disk.sync_dir(path).map_err(io)?;
    Ok(clean::decode(&bytes) == Ok(folder))
}

pub(super) fn store<D: Disk>(disk: &D, path: &Path, bytes: &[u8]) -> Result<()> {
    replace_file(disk, path, bytes).map_err(|error| StorageError::io("replace", path, error))
}
