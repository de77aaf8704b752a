//! What the replicas of this broker take on its disk.

use std::io;
use weir_types::PartitionId;

use super::Partitions;

/// One replica's log as it lies here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldLog {
    pub partition: PartitionId,
    /// Of all segments.
    pub bytes: u64,
    /// Records that are committed and not here yet, as far as this broker knows.
    pub lag: i64,
}

/// The volume of the data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    pub path: String,
    pub total_bytes: u64,
    /// What may still be written.
    pub usable_bytes: u64,
}

impl Partitions {
    /// Bytes of the partition's log here; `None`: this broker has none that it serves.
    pub fn log_bytes(&self, id: PartitionId) -> Option<u64> {
        let shared = self.hub.table.get(id)?;
        Some(shared.reader.size_bytes())
    }

    /// Every log that this broker serves, in order.
    pub fn held_logs(&self) -> Vec<HeldLog> {
        let mut held: Vec<_> = self
            .hub
            .table
            .all()
            .into_iter()
            .map(|shared| HeldLog {
                partition: shared.id,
                bytes: shared.reader.size_bytes(),
                lag: (shared.high_watermark().0 - shared.end().0).max(0),
            })
            .collect();
        held.sort_unstable_by_key(|log| log.partition);
        held
    }

    /// # Errors
    /// The volume cannot be asked.
    pub fn volume(&self) -> io::Result<Volume> {
        let path = self.hub.folder.path();
        let stat = rustix::fs::statvfs(path)?;
        Ok(Volume {
            path: path.display().to_string(),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            usable_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }
}
