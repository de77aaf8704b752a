//! Opening what the folder holds, before the broker registers.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::warn;
use weir_storage::{DataFolder, Flush, Log, LogConfig, RealDisk, Recovery, StorageError};
use weir_types::PartitionId;

use super::clock::unix_now;

/// The logs of a folder, and what the registration has to say about them.
#[derive(Default)]
pub struct Recovered {
    /// Replicas that may lack acknowledged records: damaged, or `flush: async` after an unclean
    /// stop ([`weir_core::cluster::Registration::ineligible`]).
    pub ineligible: Vec<PartitionId>,
    pub(super) logs: HashMap<PartitionId, Log<RealDisk>>,
    pub(super) on_disk: Vec<PartitionId>,
}

/// A log, what was found, and whether it may lack what was acknowledged (rule 5).
type Opened = (Log<RealDisk>, Recovery, bool);

fn open(
    folder: &DataFolder<RealDisk>,
    id: PartitionId,
    mut config: LogConfig,
) -> Result<Opened, StorageError> {
    let kept = folder.kept(id)?;
    config.compact |= kept.compacted;
    let is_async = kept.async_flush || matches!(config.flush, Flush::Async { .. });
    let (mut log, recovery) = folder.open_log(id, config, unix_now())?;
    // Most of them are idle: files are opened again on first use.
    log.rest();
    Ok((log, recovery, is_async && !folder.was_clean()))
}

/// Opens every log of the folder, on some threads. `config_of` is asked how a log is kept, as
/// far as that is known; what recovery depends on is noted beside the log. Blocks.
///
/// # Errors
/// The folder cannot be read. A damaged log is no error: its replica is ineligible.
pub fn recover(
    folder: &DataFolder<RealDisk>,
    config_of: impl Fn(PartitionId) -> LogConfig + Sync,
) -> Result<Recovered, StorageError> {
    let on_disk = folder.partitions()?;
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Recovered::default());
    let failed = Mutex::new(None);
    let work = || {
        while let Some(&id) = on_disk.get(next.fetch_add(1, Ordering::Relaxed)) {
            let opened = open(folder, id, config_of(id));
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match opened {
                Ok((log, recovery, lossy)) => {
                    let damaged = match &recovery {
                        Recovery::Damaged { reason } => {
                            warn!(partition = %id, %reason, "damaged: not served");
                            true
                        }
                        _ => false,
                    };
                    if damaged || lossy {
                        found.ineligible.push(id);
                    }
                    found.logs.insert(id, log);
                }
                Err(error) => {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return;
                }
            }
        }
    };
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(on_disk.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.ineligible.sort_unstable();
    found.on_disk = on_disk;
    Ok(found)
}
