//! What is known of a segment that is cut, without reading what stays.

use super::{Contents, Segment, WALK_CHUNK_BYTES};
use crate::{
    disk::Disk,
    error::{Result, StorageError},
    format::index::{IndexEntry, Summary},
    walk::HeaderWalk,
};

impl<D: Disk> Segment<D> {
    /// Its contents once it ends at `size`, a batch boundary. Reads from the last index entry
    /// before it on, and one stretch of the index more if the largest timestamp is cut off.
    pub(crate) fn shortened(&self, size: u64, interval_bytes: u32) -> Result<Contents> {
        self.floor_and(|_| ())?;
        let (old, mut entries) = {
            let contents = self.contents();
            (
                contents.summary,
                contents.entries.clone().unwrap_or_default(),
            )
        };
        entries.truncate(entries.partition_point(|e| u64::from(e.position) < size));
        let Some(&last) = entries.last() else {
            return self.noted(Contents::empty(self.base), 0, size, interval_bytes);
        };
        let summary = Summary {
            size: u64::from(last.position),
            end: self.base + i64::from(last.offset_delta),
            max_timestamp: last.max_timestamp_before,
            max_timestamp_at: self.largest_before(&old, &entries)?,
            first_timestamp: old.first_timestamp,
        };
        let known = Contents {
            summary,
            entries: Some(entries),
            bytes_since_entry: 0,
        };
        self.noted(known, u64::from(last.position), size, interval_bytes)
    }

    /// The first batch with the largest timestamp of those before the last of `entries`.
    fn largest_before(&self, old: &Summary, entries: &[IndexEntry]) -> Result<i64> {
        let Some(last) = entries.last().filter(|e| e.max_timestamp_before >= 0) else {
            return Ok(-1);
        };
        let largest = last.max_timestamp_before;
        let stays = old.max_timestamp_at < self.base + i64::from(last.offset_delta);
        if old.max_timestamp == largest && stays {
            return Ok(old.max_timestamp_at);
        }
        // It lies before the first entry that knows of it, and behind the one before that.
        let behind = entries.partition_point(|e| e.max_timestamp_before < largest);
        let to = entries.get(behind).unwrap_or(last).position;
        let from = behind.checked_sub(1).map_or(0, |at| entries[at].position);
        let stretch = Contents::empty(self.base);
        let stretch = self.noted(stretch, u64::from(from), u64::from(to), u32::MAX)?;
        Ok(stretch.summary.max_timestamp_at)
    }

    /// `contents` with the batches from one position to another.
    fn noted(
        &self,
        mut contents: Contents,
        from: u64,
        to: u64,
        interval_bytes: u32,
    ) -> Result<Contents> {
        let io = |error| StorageError::io("read", &self.path, error);
        let file = self.file().map_err(io)?;
        let mut walk = HeaderWalk::new(&*file, from, to, WALK_CHUNK_BYTES);
        while let Some(placed) = walk.next().map_err(io)? {
            contents.note(self.base, &placed, interval_bytes);
        }
        Ok(contents)
    }

    /// Builds the index from the log file's headers.
    pub(crate) fn rebuild(&self, interval_bytes: u32) -> Result<Contents> {
        let size = self.summary().size;
        self.noted(Contents::empty(self.base), 0, size, interval_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchBuilder;
    use crate::disk::{DiskFile, FaultyDisk, Open};
    use proptest::prelude::*;
    use std::path::Path;

    const BASE: i64 = 1_000;
    const INTERVAL: u32 = 200;

    /// A segment of batches with these timestamps, and where each ends.
    fn segment(timestamps: &[i64]) -> (Segment<FaultyDisk>, Vec<u64>) {
        let (disk, dir) = (FaultyDisk::new(1), Path::new("/s"));
        disk.create_dir_all(dir).expect("room");
        let segment = Segment::create(&disk, dir, BASE).expect("room");
        let file = disk
            .open(segment.path(), Open::ReadWrite)
            .expect("it exists");
        let (mut ends, mut size) = (Vec::new(), 0);
        for (n, timestamp) in timestamps.iter().enumerate() {
            let mut builder = BatchBuilder::new();
            builder.push(*timestamp, None, Some(&vec![b'x'; n % 7 * 30]));
            let mut batch = builder.build().to_vec();
            batch[..8].copy_from_slice(&(BASE + n as i64).to_be_bytes());
            file.write_all_at(&batch, size).expect("room");
            size += batch.len() as u64;
            ends.push(size);
        }
        segment.contents_mut().summary.size = size;
        let whole = segment.rebuild(INTERVAL).expect("readable");
        *segment.contents_mut() = whole;
        (segment, ends)
    }

    proptest! {
        #[test]
        fn a_shortened_segment_is_known_as_if_it_was_read(
            timestamps in prop::collection::vec(prop_oneof![0..5i64, 0..1_000i64], 1..40),
        ) {
            let (segment, mut ends) = segment(&timestamps);
            ends.insert(0, 0);
            for size in ends.into_iter().rev() {
                let found = segment.shortened(size, INTERVAL).expect("readable");
                segment.contents_mut().summary.size = size;
                let read = segment.rebuild(INTERVAL).expect("readable");
                prop_assert_eq!(found.summary, read.summary);
                prop_assert_eq!(&found.entries, &read.entries);
                prop_assert_eq!(found.bytes_since_entry, read.bytes_since_entry);
                // What is cut next is cut from this.
                *segment.contents_mut() = read;
            }
        }
    }
}
