//! The data folder, as the process that owns it opens it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use weir_storage::RealDisk;
use weir_types::{BrokerId, Millis};

pub use weir_storage::{LogConfig, StorageError};

/// A data folder on a real disk.
pub type DataFolder = weir_storage::DataFolder<RealDisk>;

/// Opens and locks the folder; makes it if it is new. Blocks.
///
/// # Errors
/// Another process has it, it belongs to another broker, or it cannot be read.
pub fn open_folder(path: &Path, broker: BrokerId) -> Result<DataFolder, StorageError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis());
    let now = Millis(i64::try_from(now).unwrap_or(i64::MAX));
    DataFolder::open(RealDisk, path, broker, now)
}
