//! How far a move is, in partitions and bytes.

use weir_crds::Progress;

use crate::cluster::placement::sized;

/// The progress when so much is left; what comes on top raises the total.
pub fn left(before: Progress, partitions: usize, bytes: u64) -> Progress {
    let partitions = i64::try_from(partitions).unwrap_or(i64::MAX);
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let partitions_total = before.partitions_total.max(partitions);
    let bytes_total = before.bytes_total.max(bytes);
    Progress {
        partitions_done: partitions_total - partitions,
        partitions_total,
        bytes_done: bytes_total - bytes,
        bytes_total,
    }
}

/// The same for people.
pub fn told(progress: &Progress) -> String {
    let size = |bytes: i64| sized(u64::try_from(bytes).unwrap_or(0));
    format!(
        "{} of {} partitions, {} of {}",
        progress.partitions_done,
        progress.partitions_total,
        size(progress.bytes_done),
        size(progress.bytes_total),
    )
}
