use bytes::{Bytes, BytesMut};
use std::{io::Write, sync::Arc};
use weir_api::RecordSlice;

/// Bytes before the records of a batch.
const BATCH_HEADER_BYTES: usize = 61;

/// One partition: whole batches, each with its first offset.
#[derive(Default)]
pub struct FakeLog {
    batches: Vec<(i64, Bytes)>,
    pub end: i64,
    pub start: i64,
}

impl FakeLog {
    /// Bytes too short for a batch count as one record, verbatim.
    pub fn append(&mut self, records: &Bytes) -> i64 {
        let base = self.end;
        let mut rest = records.clone();
        while rest.len() >= BATCH_HEADER_BYTES {
            let len = 12 + number(&rest[8..12]) as usize;
            if len > rest.len() {
                break;
            }
            let mut batch = BytesMut::from(&rest.split_to(len)[..]);
            batch[..8].copy_from_slice(&self.end.to_be_bytes());
            let count = i64::from(number(&batch[23..27])) + 1;
            self.batches.push((self.end, batch.freeze()));
            self.end += count;
        }
        if !rest.is_empty() {
            self.batches.push((self.end, rest));
            self.end += 1;
        }
        base
    }

    pub fn read(&self, from: i64, max_bytes: usize) -> Bytes {
        let mut out = BytesMut::new();
        for (index, (_, batch)) in self.batches.iter().enumerate() {
            let next = self
                .batches
                .get(index + 1)
                .map_or(self.end, |(base, _)| *base);
            if next <= from {
                continue;
            }
            if !out.is_empty() && out.len() + batch.len() > max_bytes {
                break;
            }
            out.extend_from_slice(batch);
        }
        out.freeze()
    }
}

/// The same bytes as part of a file, with other bytes around them.
pub fn in_file(bytes: &Bytes, cold: bool) -> RecordSlice {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(b"before").expect("room");
    file.write_all(bytes).expect("room");
    file.write_all(b"after").expect("room");
    RecordSlice::File {
        file: Arc::new(file),
        position: 6,
        len: bytes.len(),
        cold,
    }
}

fn number(bytes: &[u8]) -> i32 {
    bytes.iter().fold(0, |n, b| (n << 8) | i32::from(*b))
}
