//! The data folder of a broker.

mod room;
mod small_files;

pub(crate) use room::Room;
pub use room::RoomState;

use crate::{
    config::LogConfig,
    disk::Disk,
    error::{Result, StorageError},
    format::{clean, meta::Meta},
    log::{Log, Recovery},
    marks::Marks,
};
use small_files::{load_meta, store, take_clean};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;
use weir_types::{BrokerId, FolderId, Millis, Offset, PartitionId, TopicId};

const META_FILE: &str = "meta";
const LOCK_FILE: &str = "lock";
const CLEAN_FILE: &str = "clean";
const MARKS_FILE: &str = "marks";
const PARTITIONS_DIR: &str = "partitions";
const DELETED_SUFFIX: &str = ".deleted";

/// One broker's folder, locked for as long as this lives.
pub struct DataFolder<D: Disk> {
    disk: D,
    path: PathBuf,
    meta: Mutex<Meta>,
    marks: Arc<Marks<D>>,
    room: Arc<Room<D>>,
    clean: bool,
    _lock: D::Lock,
}

impl<D: Disk> fmt::Debug for DataFolder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataFolder({})", self.path.display())
    }
}

impl<D: Disk> DataFolder<D> {
    /// Opens a folder, or makes a new one with a new id. Removes the marker of an orderly stop,
    /// and what is left of deleted partitions.
    ///
    /// `now` (Unix time) only serves to tell new folders apart on a simulated disk.
    ///
    /// # Errors
    /// `Locked`, `BrokerMismatch`, `Format` (another version), `Io`, `Full`.
    pub fn open(disk: D, path: &Path, broker: BrokerId, now: Millis) -> Result<Self> {
        let _ = now;
        Self::open_with_id(disk, path, broker, || FolderId(Uuid::new_v4()))
    }

    /// [`DataFolder::open`] with the id that a new folder gets: for simulations.
    pub fn open_with_id(
        disk: D,
        path: &Path,
        broker: BrokerId,
        new_id: impl FnOnce() -> FolderId,
    ) -> Result<Self> {
        let io = |error| StorageError::io("open", path, error);
        disk.create_dir_all(&path.join(PARTITIONS_DIR))
            .map_err(io)?;
        let lock = disk
            .lock(&path.join(LOCK_FILE))
            .map_err(io)?
            .ok_or_else(|| StorageError::Locked {
                path: path.to_owned(),
            })?;
        // Before anything is written: the volume may be full.
        let room = Arc::new(Room::open(disk.clone(), path.to_owned()).map_err(io)?);
        let meta = load_meta(&disk, path, broker, new_id)?;
        let clean = take_clean(&disk, path, meta.folder)?;
        let marks = Arc::new(Marks::open(&disk, &path.join(MARKS_FILE))?);
        disk.sync_dir(path).map_err(io)?;
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            disk.sync_dir(parent).map_err(io)?;
        }
        let path = path.to_owned();
        let folder = Self {
            disk,
            path,
            meta: Mutex::new(meta),
            marks,
            room,
            clean,
            _lock: lock,
        };
        folder.remove_deleted()?;
        Ok(folder)
    }

    fn meta(&self) -> MutexGuard<'_, Meta> {
        self.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub const fn disk(&self) -> &D {
        &self.disk
    }

    pub fn folder_id(&self) -> FolderId {
        self.meta().folder
    }

    pub fn broker_id(&self) -> BrokerId {
        self.meta().broker
    }

    /// `None`: the broker has not joined any yet.
    pub fn cluster_id(&self) -> Option<String> {
        self.meta().cluster.clone()
    }

    /// Notes the cluster that the broker joined, durably. The same again changes nothing.
    ///
    /// # Errors
    /// `ClusterMismatch` if it is another one.
    pub fn set_cluster_id(&self, cluster: &str) -> Result<()> {
        let mut meta = self.meta();
        match &meta.cluster {
            Some(known) if known == cluster => return Ok(()),
            Some(known) => {
                return Err(StorageError::ClusterMismatch {
                    path: self.path.clone(),
                    expected: cluster.to_owned(),
                    found: known.clone(),
                });
            }
            None => {}
        }
        if cluster.is_empty() || cluster.len() > 255 {
            return Err(StorageError::Misuse(
                "a cluster id has 1 to 255 bytes".to_owned(),
            ));
        }
        let changed = Meta {
            cluster: Some(cluster.to_owned()),
            ..meta.clone()
        };
        store(&self.disk, &self.path.join(META_FILE), &changed.encode())?;
        *meta = changed;
        Ok(())
    }

    /// Whether the last stop was orderly ([`DataFolder::mark_clean`]).
    pub const fn was_clean(&self) -> bool {
        self.clean
    }

    /// Says that this stop is orderly: every log was closed and nothing is written any more.
    pub fn mark_clean(&self) -> Result<()> {
        self.marks.sync()?;
        store(
            &self.disk,
            &self.path.join(CLEAN_FILE),
            &clean::encode(self.folder_id()),
        )
    }

    /// Looks how much room the volume has. From the first call on, appends leave a margin of it
    /// for everything else, and a reserve is kept aside: whoever owns the folder calls this a few
    /// times a second. Blocks for a moment.
    ///
    /// # Errors
    /// The volume cannot be asked; nothing changed.
    pub fn watch_room(&self) -> Result<RoomState> {
        self.room
            .watch()
            .map_err(|error| StorageError::io("stat", &self.path, error))
    }

    fn partitions_dir(&self) -> PathBuf {
        self.path.join(PARTITIONS_DIR)
    }

    pub(crate) fn partition_dir(&self, partition: PartitionId) -> PathBuf {
        self.partitions_dir().join(partition.to_string())
    }

    /// Partitions that have a folder here, in order.
    pub fn partitions(&self) -> Result<Vec<PartitionId>> {
        let dir = self.partitions_dir();
        let names = self
            .disk
            .list(&dir)
            .map_err(|error| StorageError::io("list", &dir, error))?;
        let mut partitions: Vec<_> = names.iter().filter_map(|name| parse_name(name)).collect();
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// Opens or creates a partition's log; there must be no other [`Log`] of it. `now` is the
    /// Unix time.
    ///
    /// # Errors
    /// A damaged log is no error: it is in [`Recovery::Damaged`].
    pub fn open_log(
        &self,
        partition: PartitionId,
        config: LogConfig,
        now: Millis,
    ) -> Result<(Log<D>, Recovery)> {
        Log::open(crate::log::Opening {
            disk: self.disk.clone(),
            root: self.partitions_dir(),
            partition,
            marks: Arc::clone(&self.marks),
            room: Arc::clone(&self.room),
            config,
            clean: self.clean,
            now,
        })
    }

    /// Deletes a partition's log; there must be no [`Log`] of it any more. One that is not there
    /// is fine.
    pub fn delete_log(&self, partition: PartitionId) -> Result<()> {
        let root = self.partitions_dir();
        let dir = root.join(partition.to_string());
        // First, so that an empty log of the same name is not found damaged.
        self.marks.lower(partition, None)?;
        if !self.disk.exists(&dir) {
            return Ok(());
        }
        let doomed = root.join(format!("{partition}{DELETED_SUFFIX}"));
        let io = |error| StorageError::io("delete", &dir, error);
        if self.disk.exists(&doomed) {
            self.disk.remove_dir_all(&doomed).map_err(io)?;
        }
        self.disk.rename(&dir, &doomed).map_err(io)?;
        self.disk.sync_dir(&root).map_err(io)?;
        self.disk.remove_dir_all(&doomed).map_err(io)
    }

    fn remove_deleted(&self) -> Result<()> {
        let root = self.partitions_dir();
        let io = |error| StorageError::io("delete", &root, error);
        for name in self.disk.list(&root).map_err(io)? {
            if name.ends_with(DELETED_SUFFIX) {
                self.disk.remove_dir_all(&root.join(name)).map_err(io)?;
            }
        }
        Ok(())
    }

    /// Notes up to where logs are durable: once a sync cycle, with what
    /// [`Log::finish_sync`] answered. Cheap: one small write, and a sync now and then. Lost marks
    /// only make recovery take more for a torn tail, so a full disk is no error here.
    pub fn record_marks(&self, marks: &[(PartitionId, Offset)]) -> Result<()> {
        self.marks.record(
            marks
                .iter()
                .map(|(partition, offset)| (*partition, offset.0)),
        )
    }
}

fn parse_name(name: &str) -> Option<PartitionId> {
    let (topic, index) = name.rsplit_once('-')?;
    let topic = TopicId(Uuid::try_parse(topic).ok()?);
    let index = index.parse().ok().filter(|&index: &i32| index >= 0)?;
    let partition = PartitionId::new(topic, index);
    (partition.to_string() == name).then_some(partition)
}
