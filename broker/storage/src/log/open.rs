//! Opening a log: what lies in its folder.

use super::{EPOCHS_FILE, Health, Log, START_FILE, Shared, recover::Recovery};
use crate::{
    config::LogConfig,
    disk::{Disk, read_file},
    epochs::Epochs,
    error::{Result, StorageError},
    folder::Room,
    format::start,
    marks::Marks,
    producer::Producers,
    segment::{LOG_SUFFIX, parse_name},
};
use std::{
    path::PathBuf,
    sync::{Arc, RwLock, atomic::AtomicI64},
};
use weir_types::{Millis, PartitionId};

const START_BYTES_MAX: u64 = 1024;

/// How a log is opened.
pub(crate) struct Opening<D: Disk> {
    pub disk: D,
    /// Folder that holds the partitions' folders.
    pub root: PathBuf,
    pub partition: PartitionId,
    pub marks: Arc<Marks<D>>,
    pub room: Arc<Room<D>>,
    pub config: LogConfig,
    /// The last stop was orderly: what the index files say is true.
    pub clean: bool,
    /// Unix time.
    pub now: Millis,
}

impl<D: Disk> Log<D> {
    /// Opens or creates a partition's log.
    pub(crate) fn open(opening: Opening<D>) -> Result<(Self, Recovery)> {
        let dir = opening.root.join(opening.partition.to_string());
        let disk = &opening.disk;
        let io = |error| StorageError::io("open", &dir, error);
        let fresh = !disk.exists(&dir);
        if fresh {
            disk.create_dir_all(&dir).map_err(io)?;
        }
        let names = disk.list(&dir).map_err(io)?;
        for name in names.iter().filter(|name| name.ends_with(".tmp")) {
            disk.remove(&dir.join(name)).map_err(io)?;
        }
        let bases: Vec<i64> = names
            .iter()
            .filter_map(|name| parse_name(name, LOG_SUFFIX))
            .collect();
        let start_path = dir.join(START_FILE);
        let start = match read_file(disk, &start_path, START_BYTES_MAX).map_err(io)? {
            Some(bytes) => start::decode(&bytes).map_err(|reason| StorageError::Format {
                path: start_path,
                reason,
            })?,
            None => 0,
        };
        let shared = Shared {
            disk: disk.clone(),
            partition: opening.partition,
            segments: RwLock::new(Vec::new()),
            start: AtomicI64::new(start),
            end: AtomicI64::new(start),
            health: RwLock::new(Health::Sound),
            dir: dir.clone(),
        };
        let mut log = Self {
            shared: Arc::new(shared),
            epochs: Epochs::open(disk, dir.join(EPOCHS_FILE), opening.clean)?,
            config: Arc::new(opening.config),
            producers: Producers::default(),
            durable_end: start,
            dirty: Vec::new(),
            dirty_dirs: Vec::new(),
            sync_running: false,
            generation: 0,
            active_since: None,
            opened_at: opening.now,
            compacted_to: 0,
            marks: opening.marks,
            room: opening.room,
        };
        if fresh {
            log.dirty_dir(opening.root.clone());
        }
        let recovery = log.recover(bases, opening.clean, &opening.root)?;
        Ok((log, recovery))
    }
}
