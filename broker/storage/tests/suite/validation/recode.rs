//! Batches that were changed, with a CRC that fits again.

use bytes::Bytes;
use std::io::Write as _;
use weir_storage::{BatchHeader, HEADER_BYTES};

/// Changes the header and makes the CRC fit again.
pub fn with_header(batch: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut header = BatchHeader::parse(batch).expect("a sound batch");
    change(&mut header);
    let mut out = header.encode().to_vec();
    out.extend_from_slice(&batch[HEADER_BYTES..]);
    refresh_crc(&mut out);
    out.into()
}

pub fn refresh_crc(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// The batch with its records replaced by `records`, in codec `code`.
pub fn recoded(batch: &[u8], code: i16, records: &[u8]) -> Bytes {
    let mut header = BatchHeader::parse(batch).expect("a sound batch");
    header.attributes |= code;
    header.batch_length = (HEADER_BYTES - 12 + records.len()) as i32;
    let mut out = header.encode().to_vec();
    out.extend_from_slice(records);
    refresh_crc(&mut out);
    out.into()
}

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

pub fn snappy_raw(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(plain)
        .expect("memory")
}

/// As snappy-java's stream does it.
pub fn snappy_framed(plain: &[u8]) -> Vec<u8> {
    let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for chunk in plain.chunks(1000) {
        let block = snappy_raw(chunk);
        out.extend_from_slice(&(block.len() as u32).to_be_bytes());
        out.extend_from_slice(&block);
    }
    out
}

pub fn lz4(plain: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

pub fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).expect("memory")
}

pub type Codec = fn(&[u8]) -> Vec<u8>;
pub const CODECS: [(i16, Codec); 5] = [
    (1, gzip),
    (2, snappy_raw),
    (2, snappy_framed),
    (3, lz4),
    (4, zstd),
];
