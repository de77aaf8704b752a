//! Walking over the batches of a segment file.

use crate::{
    batch::{BatchHeader, HEADER_BYTES},
    disk::DiskFile,
};
use std::io;

/// A batch and where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub header: BatchHeader,
    pub position: u64,
}

impl Placed {
    pub(crate) const fn end(&self) -> u64 {
        self.position + self.header.size() as u64
    }
}

/// Reads headers only, in chunks; what is between them is trusted.
pub(crate) struct HeaderWalk<'a, F> {
    file: &'a F,
    /// Where the next batch begins.
    pub position: u64,
    /// Exclusive.
    limit: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl<'a, F: DiskFile> HeaderWalk<'a, F> {
    pub(crate) fn new(file: &'a F, position: u64, limit: u64, chunk_bytes: usize) -> Self {
        let chunk_bytes = chunk_bytes.max(HEADER_BYTES);
        Self {
            file,
            position,
            limit,
            chunk: Vec::with_capacity(chunk_bytes),
            chunk_at: 0,
        }
    }

    /// `Ok(None)`: no whole batch follows before the limit.
    pub(crate) fn next(&mut self) -> io::Result<Option<Placed>> {
        if self.position + HEADER_BYTES as u64 > self.limit {
            return Ok(None);
        }
        self.load()?;
        let from = (self.position - self.chunk_at) as usize;
        let Some(header) = self.chunk.get(from..).and_then(BatchHeader::parse) else {
            return Ok(None);
        };
        let placed = Placed {
            header,
            position: self.position,
        };
        if placed.end() > self.limit {
            return Ok(None);
        }
        self.position = placed.end();
        Ok(Some(placed))
    }

    fn load(&mut self) -> io::Result<()> {
        let needed = self.position + HEADER_BYTES as u64;
        if self.position >= self.chunk_at && needed <= self.chunk_at + self.chunk.len() as u64 {
            return Ok(());
        }
        let len = (self.chunk.capacity() as u64).min(self.limit - self.position) as usize;
        self.chunk.resize(len, 0);
        self.chunk_at = self.position;
        if let Err(error) = self.file.read_exact_at(&mut self.chunk, self.position) {
            self.chunk.clear();
            return Err(error);
        }
        Ok(())
    }
}

/// Why a verified walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WalkEnd {
    /// At the end of the file.
    Complete,
    /// At bytes that are no sound batch.
    Invalid(String),
}

/// Whether offsets may be missing between batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gaps {
    None,
    /// Compaction leaves them.
    Allowed,
}

/// Reads everything from `position` on and verifies length, CRC and order of offsets.
/// `next_offset` is the least that the first batch may have. Answers where sound batches end.
pub(crate) fn walk_verified<F: DiskFile>(
    file: &F,
    position: u64,
    limit: u64,
    mut next_offset: i64,
    gaps: Gaps,
    mut visit: impl FnMut(&Placed, &[u8]),
) -> io::Result<(u64, WalkEnd)> {
    const CHUNK_BYTES: usize = 256 * 1024;
    let mut at = position;
    let mut buffer: Vec<u8> = Vec::new();
    let mut filled_at = position;
    while at < limit {
        let have = (filled_at + buffer.len() as u64 - at) as usize;
        let rest = &buffer[buffer.len() - have..];
        let (needed, header) = match BatchHeader::parse(rest) {
            Some(header) => (header.size(), Some(header)),
            None if have >= HEADER_BYTES => {
                return Ok((at, WalkEnd::Invalid("no batch header".to_owned())));
            }
            None => (HEADER_BYTES, None),
        };
        if at + needed as u64 > limit {
            return Ok((at, WalkEnd::Invalid("batch is cut off".to_owned())));
        }
        if have < needed {
            // What is left moves to the front; a batch is never longer than its file.
            let keep = rest.to_vec();
            let len = needed.max(CHUNK_BYTES).min((limit - at) as usize);
            buffer.clear();
            buffer.extend_from_slice(&keep);
            buffer.resize(len, 0);
            file.read_exact_at(&mut buffer[keep.len()..], at + keep.len() as u64)?;
            filled_at = at;
            continue;
        }
        let Some(header) = header else { continue };
        let batch = &rest[..needed];
        let continues = match gaps {
            Gaps::Allowed => header.base_offset >= next_offset,
            Gaps::None => header.base_offset == next_offset,
        };
        if !continues {
            let found = header.base_offset;
            let reason = format!("offset {found} where {next_offset} was due");
            return Ok((at, WalkEnd::Invalid(reason)));
        }
        if !header.crc_matches(batch) {
            return Ok((at, WalkEnd::Invalid("wrong CRC".to_owned())));
        }
        visit(
            &Placed {
                header,
                position: at,
            },
            batch,
        );
        next_offset = header.next_offset();
        at += needed as u64;
    }
    Ok((at, WalkEnd::Complete))
}
