//! Where records are read from while they are checked: plain bytes, or a decompressor.

use super::varint::{VARINT_BYTES_MAX, VARLONG_BYTES_MAX, unzigzag_32, unzigzag_64};
use std::io::Read;

/// Why the bytes are no records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad(pub String);

pub(crate) fn bad<T>(what: &str) -> Result<T, Bad> {
    Err(Bad(what.to_owned()))
}

/// A forward-only reader that never buffers more than a fixed amount.
pub trait Source {
    fn byte(&mut self) -> Result<u8, Bad>;
    fn skip(&mut self, count: usize) -> Result<(), Bad>;
    /// Bytes read or skipped so far.
    fn consumed(&self) -> u64;
    fn at_end(&mut self) -> Result<bool, Bad>;

    fn varint(&mut self) -> Result<i32, Bad> {
        let mut raw: u32 = 0;
        for at in 0..VARINT_BYTES_MAX {
            let byte = self.byte()?;
            raw |= u32::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Ok(unzigzag_32(raw));
            }
        }
        bad("varint of more than 5 bytes")
    }

    fn varlong(&mut self) -> Result<i64, Bad> {
        let mut raw: u64 = 0;
        for at in 0..VARLONG_BYTES_MAX {
            let byte = self.byte()?;
            raw |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Ok(unzigzag_64(raw));
            }
        }
        bad("varlong of more than 10 bytes")
    }
}

pub struct SliceSource<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> SliceSource<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }
}

impl Source for SliceSource<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Bad> {
        match self.bytes.get(self.position) {
            Some(&byte) => {
                self.position += 1;
                Ok(byte)
            }
            None => bad("records end in the middle of one"),
        }
    }

    #[inline]
    fn skip(&mut self, count: usize) -> Result<(), Bad> {
        if count > self.bytes.len() - self.position {
            return bad("records end in the middle of one");
        }
        self.position += count;
        Ok(())
    }

    fn consumed(&self) -> u64 {
        self.position as u64
    }

    fn at_end(&mut self) -> Result<bool, Bad> {
        Ok(self.position == self.bytes.len())
    }
}

/// Reads a decompressor through a buffer of the caller's, up to a bound.
pub struct StreamSource<'a, R> {
    reader: R,
    buffer: &'a mut [u8],
    position: usize,
    filled: usize,
    taken: u64,
    bytes_max: u64,
}

impl<'a, R: Read> StreamSource<'a, R> {
    pub const fn new(reader: R, buffer: &'a mut [u8], bytes_max: u64) -> Self {
        Self {
            reader,
            buffer,
            position: 0,
            filled: 0,
            taken: 0,
            bytes_max,
        }
    }

    /// `false`: there is nothing more.
    fn fill(&mut self) -> Result<bool, Bad> {
        self.taken += self.filled as u64;
        (self.position, self.filled) = (0, 0);
        if self.taken > self.bytes_max {
            return bad("records expand beyond the bound");
        }
        self.filled = self
            .reader
            .read(self.buffer)
            .map_err(|error| Bad(error.to_string()))?;
        Ok(self.filled > 0)
    }
}

impl<R: Read> Source for StreamSource<'_, R> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Bad> {
        if self.position == self.filled && !self.fill()? {
            return bad("records end in the middle of one");
        }
        let byte = self.buffer[self.position];
        self.position += 1;
        Ok(byte)
    }

    fn skip(&mut self, mut count: usize) -> Result<(), Bad> {
        loop {
            let here = count.min(self.filled - self.position);
            self.position += here;
            count -= here;
            if count == 0 {
                return Ok(());
            }
            if !self.fill()? {
                return bad("records end in the middle of one");
            }
        }
    }

    fn consumed(&self) -> u64 {
        self.taken + self.position as u64
    }

    fn at_end(&mut self) -> Result<bool, Bad> {
        Ok(self.position == self.filled && !self.fill()?)
    }
}
