use bytes::Bytes;
use thiserror::Error;
use uuid::Uuid;
use weir_api::RecordSlice;

use super::{ErrorCode, Records};

/// Longest string, bytes (Kafka's).
const STRING_BYTES_MAX: usize = i16::MAX as usize;
/// A decoded message may take this many times the memory of its bytes ...
const MEMORY_FACTOR: usize = 16;
/// ... and this much beside, so that small messages never meet the bound ...
const MEMORY_FREE: usize = 64 * 1024;
/// ... but never more than this, its strings aside.
const MEMORY_MAX: usize = 64 * 1024 * 1024;

/// Why bytes are no message. Retrying the same bytes does not help.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("the message ends too early")]
    Truncated,
    #[error("a length of {0} is not possible here")]
    Length(i64),
    #[error("a field that must not be null is null")]
    Null,
    #[error("a string is not UTF-8")]
    NotUtf8,
    #[error("a variable-length number is too long")]
    Varint,
    #[error("arrays of the message would need too much memory")]
    TooManyElements,
}

type Read<T> = Result<T, DecodeError>;

/// Reads the fields of one message, which must be wholly there.
///
/// Byte fields are slices of the message. Array lengths are checked against the bytes that are
/// left, and their memory against a budget, before anything is allocated.
pub struct Reader {
    data: Bytes,
    at: usize,
    end: usize,
    flexible: bool,
    memory_left: usize,
}

impl Reader {
    pub fn new(data: Bytes) -> Self {
        let end = data.len();
        let memory_left = (end.saturating_mul(MEMORY_FACTOR) + MEMORY_FREE).min(MEMORY_MAX);
        Self {
            data,
            at: 0,
            end,
            flexible: false,
            memory_left,
        }
    }

    /// Compact lengths and tagged fields from here on (KIP-482)?
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.end - self.at
    }

    pub fn bool(&mut self) -> Read<bool> {
        Ok(self.i8()? != 0)
    }

    pub fn i8(&mut self) -> Read<i8> {
        Ok(i8::from_be_bytes(self.fixed()?))
    }

    pub fn i16(&mut self) -> Read<i16> {
        Ok(i16::from_be_bytes(self.fixed()?))
    }

    pub fn i32(&mut self) -> Read<i32> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    pub fn i64(&mut self) -> Read<i64> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    pub fn uuid(&mut self) -> Read<Uuid> {
        Ok(Uuid::from_bytes(self.fixed()?))
    }

    pub fn code(&mut self) -> Read<ErrorCode> {
        Ok(ErrorCode(self.i16()?))
    }

    pub fn uvarint(&mut self) -> Read<u32> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed::<1>()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                return Err(DecodeError::Varint);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint)
    }

    pub fn string(&mut self) -> Read<String> {
        self.nullable_string()?.ok_or(DecodeError::Null)
    }

    pub fn nullable_string(&mut self) -> Read<Option<String>> {
        let len = if self.flexible {
            self.compact_len()?
        } else {
            i64::from(self.i16()?)
        };
        let Some(len) = self.present_len(len)? else {
            return Ok(None);
        };
        if len > STRING_BYTES_MAX {
            return Err(DecodeError::Length(len as i64));
        }
        let bytes = self.take(len)?;
        let text = std::str::from_utf8(&self.data[bytes]).map_err(|_| DecodeError::NotUtf8)?;
        Ok(Some(text.to_owned()))
    }

    pub fn bytes(&mut self) -> Read<Bytes> {
        self.nullable_bytes()?.ok_or(DecodeError::Null)
    }

    pub fn nullable_bytes(&mut self) -> Read<Option<Bytes>> {
        let len = self.long_len()?;
        let Some(len) = self.present_len(len)? else {
            return Ok(None);
        };
        let range = self.take(len)?;
        Ok(Some(self.data.slice(range)))
    }

    pub fn records(&mut self) -> Read<Records> {
        self.nullable_records()?.ok_or(DecodeError::Null)
    }

    pub fn nullable_records(&mut self) -> Read<Option<Records>> {
        Ok(self
            .nullable_bytes()?
            .map(|bytes| Records(RecordSlice::Memory(bytes))))
    }

    /// Whether a nullable struct follows.
    pub fn is_present(&mut self) -> Read<bool> {
        Ok(self.i8()? >= 0)
    }

    pub fn array<T>(&mut self, element: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        self.nullable_array(element)?.ok_or(DecodeError::Null)
    }

    pub fn nullable_array<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Option<Vec<T>>> {
        let len = self.long_len()?;
        let Some(len) = self.present_len(len)? else {
            return Ok(None);
        };
        let bytes = len.saturating_mul(size_of::<T>());
        self.memory_left = self
            .memory_left
            .checked_sub(bytes)
            .ok_or(DecodeError::TooManyElements)?;
        let mut out = Vec::with_capacity(len);
        for _ in 0..len {
            out.push(element(self)?);
        }
        Ok(Some(out))
    }

    /// Tagged fields, if the message is flexible; those that `known` does not read are skipped.
    pub fn tags(&mut self, mut known: impl FnMut(u32, &mut Self) -> Read<()>) -> Read<()> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let len = self.uvarint()? as usize;
            let range = self.take(len)?;
            let outer_end = std::mem::replace(&mut self.end, range.end);
            self.at = range.start;
            known(tag, self)?;
            self.at = range.end;
            self.end = outer_end;
        }
        Ok(())
    }

    fn long_len(&mut self) -> Read<i64> {
        if self.flexible {
            self.compact_len()
        } else {
            Ok(i64::from(self.i32()?))
        }
    }

    fn compact_len(&mut self) -> Read<i64> {
        Ok(i64::from(self.uvarint()?) - 1)
    }

    /// `None` for null. Everything that has a length takes at least a byte per unit of it.
    fn present_len(&self, len: i64) -> Read<Option<usize>> {
        match usize::try_from(len) {
            Ok(len) if len <= self.remaining() => Ok(Some(len)),
            Ok(_) => Err(DecodeError::Length(len)),
            Err(_) if len == -1 => Ok(None),
            Err(_) => Err(DecodeError::Length(len)),
        }
    }

    fn fixed<const N: usize>(&mut self) -> Read<[u8; N]> {
        let range = self.take(N)?;
        let mut out = [0; N];
        out.copy_from_slice(&self.data[range]);
        Ok(out)
    }

    fn take(&mut self, len: usize) -> Read<std::ops::Range<usize>> {
        if len > self.remaining() {
            return Err(DecodeError::Truncated);
        }
        let start = self.at;
        self.at += len;
        Ok(start..self.at)
    }
}
