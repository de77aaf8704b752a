//! Verifying sealed segments again, long after they were written: media forget.

use super::{Log, LogReader};
use crate::{
    disk::{Disk, DiskFile, Open},
    error::{Result, StorageError},
    segment::{INDEX_SUFFIX, Segment},
    walk::HeaderWalk,
};
use std::{io, sync::Arc};
use weir_types::Offset;

const CHUNK_BYTES: usize = 64 * 1024;

/// What came of verifying a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    Sound,
    /// There is no such sealed segment any more.
    Gone,
    /// The caller had enough.
    Stopped,
    /// What is wrong, and where.
    Invalid(String),
}

impl<D: Disk> LogReader<D> {
    /// First offsets of the segments that are not written to any more, ascending.
    pub fn sealed(&self) -> Vec<Offset> {
        let mut bases: Vec<_> = self
            .shared
            .segments()
            .iter()
            .map(|segment| Offset(segment.base))
            .collect();
        bases.pop();
        bases
    }

    /// Reads a sealed segment from the medium, as far as that can be asked for, and verifies
    /// length, order and CRC of every batch. `go_on` is told the bytes of each and may wait.
    /// Blocks. Beside the writer a segment that is being cut may look invalid: ask
    /// [`Log::verify_sealed`] then.
    ///
    /// # Errors
    /// The file cannot be opened. One that cannot be read is invalid.
    pub fn verify_sealed(
        &self,
        base: Offset,
        go_on: impl FnMut(usize) -> bool,
    ) -> Result<Verified> {
        let segments = self.shared.segments();
        let sealed = &segments[..segments.len().saturating_sub(1)];
        let Some(segment) = sealed.iter().find(|segment| segment.base == base.0) else {
            return Ok(Verified::Gone);
        };
        let file = match self.shared.disk.open(segment.path(), Open::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verified::Gone),
            Err(error) => return Err(StorageError::io("open", segment.path(), error)),
        };
        file.forget_cache();
        let verified = verify(segment, &file, go_on);
        file.forget_cache();
        verified.or_else(|error| Ok(Verified::Invalid(format!("cannot be read: {error}"))))
    }
}

impl<D: Disk> Log<D> {
    /// [`LogReader::verify_sealed`] by the one who alone may change the segment. After damage the
    /// segment's index is gone, so that the next start looks at every byte too.
    pub fn verify_sealed(&mut self, base: Offset) -> Result<Verified> {
        let verified = self.reader().verify_sealed(base, |_| true)?;
        if matches!(verified, Verified::Invalid(_)) {
            let segments: Vec<Arc<Segment<D>>> = self.shared.segments();
            if let Some(segment) = segments.iter().find(|segment| segment.base == base.0) {
                // If it stays, the damage is found once more.
                let _ = self.shared.disk.remove(&segment.path_of(INDEX_SUFFIX));
            }
        }
        Ok(verified)
    }
}

fn verify<D: Disk>(
    segment: &Segment<D>,
    file: &D::File,
    mut go_on: impl FnMut(usize) -> bool,
) -> io::Result<Verified> {
    let size = segment.summary().size;
    let mut walk = HeaderWalk::new(file, 0, size, CHUNK_BYTES);
    let mut expected = segment.base;
    let mut bytes = Vec::new();
    let invalid = |what: &str, at: u64| Verified::Invalid(format!("{what} at byte {at}"));
    while let Some(placed) = walk.next()? {
        let header = &placed.header;
        bytes.resize(header.size(), 0);
        file.read_exact_at(&mut bytes, placed.position)?;
        if header.base_offset < expected {
            return Ok(invalid("offsets out of order", placed.position));
        }
        if !header.crc_matches(&bytes) {
            return Ok(invalid("wrong CRC", placed.position));
        }
        expected = header.next_offset();
        if !go_on(bytes.len()) {
            return Ok(Verified::Stopped);
        }
    }
    Ok(match walk.position {
        at if at < size => invalid("no whole batch", at),
        _ => Verified::Sound,
    })
}
