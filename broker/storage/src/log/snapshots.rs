//! Snapshots of what is known of producers.

use super::Log;
use crate::{
    disk::{Disk, place_file},
    error::Result,
    format::snapshot,
    segment::{SNAPSHOT_SUFFIX, file_name},
};
use std::path::Path;

/// Snapshots that are kept: the newest, and one to fall back on.
const SNAPSHOTS_KEPT: usize = 2;

impl<D: Disk> Log<D> {
    /// Writes what is known of producers at the log's end. It only saves time at the next
    /// start, so one that cannot be written is no error.
    ///
    /// # Errors
    /// `Poisoned` if the folder's sync failed. That one concerns every name in the folder, a new
    /// segment's too, and the next one may claim to have worked.
    pub(super) fn write_snapshot(&self) -> Result<()> {
        let end = self.shared.end();
        let known = snapshot_offsets(&self.shared.disk, &self.shared.dir);
        if end == 0 || known.last() == Some(&end) {
            // Nothing was written since.
            return Ok(());
        }
        let path = self.shared.path(&file_name(end, SNAPSHOT_SUFFIX));
        let bytes = snapshot::encode(end, self.producers.in_order().into_iter());
        match place_file(&self.shared.disk, &path, &bytes) {
            Ok(()) => self.sync_dir()?,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "producer snapshot not written");
            }
        }
        self.remove_snapshots(|offsets| {
            let keep = offsets.len().saturating_sub(SNAPSHOTS_KEPT);
            offsets.truncate(keep);
        });
        Ok(())
    }

    /// Removes the producer snapshots that `choose` leaves in the ascending list.
    pub(super) fn remove_snapshots(&self, choose: impl FnOnce(&mut Vec<i64>)) {
        let mut offsets = snapshot_offsets(&self.shared.disk, &self.shared.dir);
        choose(&mut offsets);
        for offset in offsets {
            let path = self.shared.path(&file_name(offset, SNAPSHOT_SUFFIX));
            // A leftover is superseded by newer ones.
            let _ = self.shared.disk.remove(&path);
        }
    }
}

/// Offsets of the producer snapshots in a folder, ascending.
pub(super) fn snapshot_offsets<D: Disk>(disk: &D, dir: &Path) -> Vec<i64> {
    let names = disk.list(dir).unwrap_or_default();
    names
        .iter()
        .filter_map(|name| crate::segment::parse_name(name, SNAPSHOT_SUFFIX))
        .collect()
}
