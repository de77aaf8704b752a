//! Decompression in a stream, with bounded memory.

use super::{
    header::Compression,
    source::{Bad, SliceSource, Source, StreamSource},
};
use std::{cell::RefCell, io::Read};
use weir_types::limits::DECOMPRESSED_BYTES_MAX;

const BUFFER_BYTES: usize = 16 * 1024;
/// Largest window that a zstd frame may ask for: what its own decoders accept by default.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// Snappy cannot do better than 64 bytes in 3; a claim beyond this is a lie.
const SNAPPY_RATIO_MAX: usize = 32;
/// Frame of snappy-java: magic, version, lowest compatible version, then blocks with a length.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What to do with a source of plain records.
pub trait Visit {
    type Out;
    fn visit<S: Source>(self, source: S) -> Result<Self::Out, Bad>;
}

/// Runs `visitor` over the records of a batch as if they were not compressed.
pub fn with_plain<V: Visit>(
    compression: Compression,
    records: &[u8],
    visitor: V,
) -> Result<V::Out, Bad> {
    if compression == Compression::None {
        return visitor.visit(SliceSource::new(records));
    }
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(BUFFER_BYTES, 0);
        let bound = DECOMPRESSED_BYTES_MAX as u64;
        let reader = Reader::open(compression, records)?;
        visitor.visit(StreamSource::new(reader, buffer, bound))
    })
}

/// All records' bytes, decompressed.
pub fn plain_bytes(compression: Compression, records: &[u8]) -> Result<Vec<u8>, Bad> {
    let mut out = Vec::new();
    Reader::open(compression, records)?
        .take(DECOMPRESSED_BYTES_MAX as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|error| Bad(error.to_string()))?;
    if out.len() > DECOMPRESSED_BYTES_MAX {
        return Err(Bad("records expand beyond the bound".to_owned()));
    }
    Ok(out)
}

enum Reader<'a> {
    Plain(&'a [u8]),
    Gzip(Box<flate2::read::MultiGzDecoder<&'a [u8]>>),
    Snappy(SnappyReader<'a>),
    Lz4(Box<lz4_flex::frame::FrameDecoder<&'a [u8]>>),
    Zstd(zstd::Decoder<'a, &'a [u8]>),
}

impl<'a> Reader<'a> {
    fn open(compression: Compression, records: &'a [u8]) -> Result<Self, Bad> {
        Ok(match compression {
            Compression::None => Self::Plain(records),
            Compression::Gzip => Self::Gzip(Box::new(flate2::read::MultiGzDecoder::new(records))),
            Compression::Snappy => Self::Snappy(SnappyReader::open(records)?),
            Compression::Lz4 => Self::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(records))),
            Compression::Zstd => {
                let decoder = zstd::Decoder::with_buffer(records).and_then(|mut decoder| {
                    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                    Ok(decoder)
                });
                Self::Zstd(decoder.map_err(|error| Bad(error.to_string()))?)
            }
        })
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            Self::Snappy(reader) => reader.read(buffer),
            Self::Lz4(reader) => reader.read(buffer),
            Self::Zstd(reader) => reader.read(buffer),
        }
    }
}

/// Either one raw block (librdkafka) or snappy-java's frame of many (Java clients).
struct SnappyReader<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    position: usize,
}

impl<'a> SnappyReader<'a> {
    fn open(records: &'a [u8]) -> Result<Self, Bad> {
        let framed = records.starts_with(XERIAL_MAGIC);
        if framed && records.len() < XERIAL_HEADER_BYTES {
            return Err(Bad("snappy frame without its header".to_owned()));
        }
        let rest = if framed {
            &records[XERIAL_HEADER_BYTES..]
        } else {
            records
        };
        Ok(Self {
            rest,
            framed,
            block: Vec::new(),
            position: 0,
        })
    }

    fn next_block(&mut self) -> std::io::Result<()> {
        let bad = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        let compressed = if self.framed {
            let (len, rest) = self
                .rest
                .split_first_chunk()
                .ok_or_else(|| bad("snappy block without length"))?;
            let len = u32::from_be_bytes(*len) as usize;
            if len > rest.len() {
                return Err(bad("snappy block longer than its frame"));
            }
            let (block, rest) = rest.split_at(len);
            self.rest = rest;
            block
        } else {
            std::mem::take(&mut self.rest)
        };
        let len = snap::raw::decompress_len(compressed).map_err(std::io::Error::other)?;
        if len > DECOMPRESSED_BYTES_MAX || len > compressed.len() * SNAPPY_RATIO_MAX + 64 {
            return Err(bad("snappy block claims an impossible length"));
        }
        self.block.resize(len, 0);
        self.position = 0;
        snap::raw::Decoder::new()
            .decompress(compressed, &mut self.block)
            .map_err(std::io::Error::other)?;
        Ok(())
    }
}

impl Read for SnappyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.position == self.block.len() {
            if self.rest.is_empty() {
                return Ok(0);
            }
            self.next_block()?;
        }
        let count = buffer.len().min(self.block.len() - self.position);
        buffer[..count].copy_from_slice(&self.block[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}
