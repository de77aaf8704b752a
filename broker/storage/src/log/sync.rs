//! Group commit: one sync for everything that was appended before it began.

use super::{Health, Log};
use crate::{
    disk::{Disk, DiskFile},
    error::Result,
};
use std::{path::PathBuf, sync::Arc};
use weir_types::Offset;

/// The syncs that make a log durable up to where it ended when the job was made. It must be run,
/// and its result given to [`Log::finish_sync`]: until then the log makes no other.
#[must_use = "the log waits for its result"]
pub struct SyncJob<D: Disk> {
    disk: D,
    files: Vec<(PathBuf, Arc<D::File>)>,
    dirs: Vec<PathBuf>,
    upto: i64,
    generation: u64,
}

/// What came of a [`SyncJob`].
#[must_use = "the log waits for it"]
#[derive(Debug)]
pub struct SyncDone {
    upto: i64,
    generation: u64,
    syncs: u32,
    failure: Option<String>,
}

impl SyncDone {
    /// How many files and folders were synced.
    pub const fn syncs(&self) -> u32 {
        self.syncs
    }
}

impl<D: Disk> SyncJob<D> {
    /// Where the log will be durable.
    pub const fn upto(&self) -> Offset {
        Offset(self.upto)
    }

    /// Does the syncs; blocks. May run on any thread, while the log is written and read.
    pub fn run(self) -> SyncDone {
        let mut done = SyncDone {
            upto: self.upto,
            generation: self.generation,
            syncs: 0,
            failure: None,
        };
        for (path, file) in &self.files {
            done.syncs += 1;
            if let Err(error) = file.sync_data() {
                done.failure = Some(format!("sync of {} failed: {error}", path.display()));
                return done;
            }
        }
        for dir in &self.dirs {
            done.syncs += 1;
            if let Err(error) = self.disk.sync_dir(dir) {
                done.failure = Some(format!("sync of {} failed: {error}", dir.display()));
                return done;
            }
        }
        done
    }
}

impl<D: Disk> Log<D> {
    /// Takes what is dirty now. `None`: nothing is, or a job is still under way, or the log takes
    /// no more writes.
    pub fn begin_sync(&mut self) -> Option<SyncJob<D>> {
        if self.sync_running || self.shared.check_writable().is_err() {
            return None;
        }
        let mut files = Vec::with_capacity(self.dirty.len());
        for segment in &self.dirty {
            match segment.file() {
                Ok(file) => files.push((segment.path().to_owned(), file)),
                Err(error) => {
                    let path = segment.path().display().to_string();
                    self.poison(format!("open of {path} to sync it failed: {error}"));
                    return None;
                }
            }
        }
        match self.epochs.take_dirty() {
            Ok(Some(file)) => files.push((self.shared.path(super::EPOCHS_FILE), file)),
            Ok(None) => {}
            Err(error) => {
                self.poison(error.to_string());
                return None;
            }
        }
        if self.epochs.take_created() {
            self.dirty_dir(self.shared.dir.clone());
        }
        let dirs = std::mem::take(&mut self.dirty_dirs);
        if files.is_empty() && dirs.is_empty() {
            return None;
        }
        self.dirty.clear();
        self.sync_running = true;
        Some(SyncJob {
            disk: self.shared.disk.clone(),
            files,
            dirs,
            upto: self.shared.end(),
            generation: self.generation,
        })
    }

    /// Takes the result of the job and answers the durable end.
    ///
    /// # Errors
    /// `Poisoned` if the sync failed: what the disk holds is unknown, and a second sync would
    /// prove nothing, so the log takes no more writes.
    pub fn finish_sync(&mut self, done: SyncDone) -> Result<Offset> {
        self.sync_running = false;
        if let Some(reason) = done.failure {
            return Err(self.poison(reason));
        }
        self.shared.check_writable()?;
        if done.generation == self.generation {
            self.durable_end = self.durable_end.max(done.upto);
            self.marks.raise(self.partition(), self.durable_end);
        }
        Ok(self.durable_end())
    }

    /// Makes names in the log's folder durable now.
    ///
    /// # Errors
    /// `Poisoned`: the failure concerns every name there, and is told once.
    pub(super) fn sync_dir(&self) -> Result<()> {
        let dir = &self.shared.dir;
        let failed = |error| self.poison(format!("sync of {} failed: {error}", dir.display()));
        self.shared.disk.sync_dir(dir).map_err(failed)
    }

    /// Makes everything durable now, on this thread.
    pub(super) fn sync_all(&mut self) -> Result<()> {
        if self.shared.health() != Health::Sound {
            return self.shared.check_writable();
        }
        // A job that is under way has taken files of its own: they are synced again here, since
        // nobody waits for that job.
        let segments = self.shared.segments();
        for segment in &segments {
            if segment.summary().end > self.durable_end
                && !self.dirty.iter().any(|dirty| Arc::ptr_eq(dirty, segment))
            {
                self.dirty.push(Arc::clone(segment));
            }
        }
        let running = std::mem::replace(&mut self.sync_running, false);
        if running {
            self.epochs.mark_dirty();
            self.dirty_dir(self.shared.dir.clone());
        }
        let synced = match self.begin_sync() {
            Some(job) => self.finish_sync(job.run()).map(|_| ()),
            None => self.shared.check_writable(),
        };
        self.sync_running = running;
        synced
    }
}
