//! Kafka's primitive types (before KIP-482's compact ones). Big-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::FormatError;

/// Reads fields off a record. What it allocates is bounded by the record's length.
pub(super) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    pub fn i16(&mut self) -> Result<i16, FormatError> {
        self.rest.try_get_i16().map_err(|_| FormatError::Short)
    }

    pub fn i32(&mut self) -> Result<i32, FormatError> {
        self.rest.try_get_i32().map_err(|_| FormatError::Short)
    }

    pub fn i64(&mut self) -> Result<i64, FormatError> {
        self.rest.try_get_i64().map_err(|_| FormatError::Short)
    }

    pub fn string(&mut self) -> Result<String, FormatError> {
        self.nullable_string()?.ok_or(FormatError::Length)
    }

    pub fn nullable_string(&mut self) -> Result<Option<String>, FormatError> {
        let len = self.i16()?;
        if len == -1 {
            return Ok(None);
        }
        let bytes = self.take(i32::from(len))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| FormatError::Text)?;
        Ok(Some(text.to_owned()))
    }

    pub fn bytes(&mut self) -> Result<Bytes, FormatError> {
        let len = self.i32()?;
        self.take(len)
    }

    /// A count of things that take `least` bytes each at the least.
    pub fn count(&mut self, least: usize) -> Result<usize, FormatError> {
        let count = usize::try_from(self.i32()?).map_err(|_| FormatError::Length)?;
        if count > self.rest.len() / least {
            Err(FormatError::Short)
        } else {
            Ok(count)
        }
    }

    pub fn end(self) -> Result<(), FormatError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(FormatError::Rest)
        }
    }

    fn take(&mut self, len: i32) -> Result<Bytes, FormatError> {
        let len = usize::try_from(len).map_err(|_| FormatError::Length)?;
        if len > self.rest.len() {
            return Err(FormatError::Short);
        }
        Ok(self.rest.split_to(len))
    }
}

pub(super) fn put_string(out: &mut BytesMut, text: &str) -> Result<(), FormatError> {
    let len = i16::try_from(text.len()).map_err(|_| FormatError::Length)?;
    out.put_i16(len);
    out.put_slice(text.as_bytes());
    Ok(())
}

pub(super) fn put_nullable_string(
    out: &mut BytesMut,
    text: Option<&str>,
) -> Result<(), FormatError> {
    match text {
        Some(text) => put_string(out, text),
        None => {
            out.put_i16(-1);
            Ok(())
        }
    }
}

pub(super) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) -> Result<(), FormatError> {
    let len = i32::try_from(bytes.len()).map_err(|_| FormatError::Length)?;
    out.put_i32(len);
    out.put_slice(bytes);
    Ok(())
}
