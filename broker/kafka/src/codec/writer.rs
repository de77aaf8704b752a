use bytes::{BufMut, Bytes, BytesMut};
use std::{fs::File, sync::Arc};
use uuid::Uuid;
use weir_api::RecordSlice;

use super::{ErrorCode, Records};

/// Records up to this size are copied next to what surrounds them; larger ones stay where they are.
const COPIED_RECORDS_BYTES_MAX: usize = 4096;

/// A piece of an encoded message.
#[derive(Clone, Debug)]
pub enum Part {
    Bytes(Bytes),
    /// To be sent from the file itself.
    File {
        file: Arc<File>,
        position: u64,
        len: usize,
        cold: bool,
    },
}

impl Part {
    /// Bytes that it takes on the wire.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File { len, .. } => *len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An encoded message: its parts one after another.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    pub parts: Vec<Part>,
}

impl Encoded {
    /// Bytes that it takes on the wire, without a length before it.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Part::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, if no part lies in a file.
    pub fn into_bytes(self) -> Option<Bytes> {
        let mut out = BytesMut::with_capacity(self.len());
        for part in self.parts {
            match part {
                Part::Bytes(bytes) => out.put(bytes),
                Part::File { .. } => return None,
            }
        }
        Some(out.freeze())
    }
}

/// Writes the fields of one message. Large records are taken along by reference.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
    parts: Vec<Part>,
    flexible: bool,
}

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn finish(mut self) -> Encoded {
        self.flush();
        Encoded { parts: self.parts }
    }

    /// Compact lengths and tagged fields from here on (KIP-482)?
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    pub fn flexible(&self) -> bool {
        self.flexible
    }

    pub fn bool(&mut self, value: bool) {
        self.buffer.put_u8(u8::from(value));
    }

    pub fn i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    pub fn i16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    pub fn i32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    pub fn i64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    pub fn uuid(&mut self, value: Uuid) {
        self.buffer.put_slice(value.as_bytes());
    }

    pub fn code(&mut self, value: ErrorCode) {
        self.i16(value.0);
    }

    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    /// Cut after `i16::MAX` bytes, the most that the protocol can say.
    pub fn string(&mut self, value: &str) {
        let mut len = value.len().min(i16::MAX as usize);
        while !value.is_char_boundary(len) {
            len -= 1;
        }
        if self.flexible {
            self.uvarint(len as u32 + 1);
        } else {
            self.i16(len as i16);
        }
        self.buffer.put_slice(&value.as_bytes()[..len]);
    }

    /// `None` where the version knows no null is written as the empty string.
    pub fn nullable_string(&mut self, nullable: bool, value: Option<&str>) {
        match value {
            Some(value) => self.string(value),
            None if !nullable => self.string(""),
            None if self.flexible => self.uvarint(0),
            None => self.i16(-1),
        }
    }

    pub fn bytes(&mut self, value: &Bytes) {
        self.long_len(value.len());
        self.buffer.put_slice(value);
    }

    pub fn nullable_bytes(&mut self, nullable: bool, value: Option<&Bytes>) {
        match value {
            Some(value) => self.bytes(value),
            None => self.null(nullable),
        }
    }

    pub fn records(&mut self, value: &Records) {
        self.long_len(value.0.len());
        match &value.0 {
            RecordSlice::Memory(bytes) if bytes.len() <= COPIED_RECORDS_BYTES_MAX => {
                self.buffer.put_slice(bytes);
            }
            RecordSlice::Memory(bytes) => {
                self.flush();
                self.parts.push(Part::Bytes(bytes.clone()));
            }
            RecordSlice::File {
                file,
                position,
                len,
                cold,
            } => {
                self.flush();
                let (position, len, cold) = (*position, *len, *cold);
                self.parts.push(Part::File {
                    file: Arc::clone(file),
                    position,
                    len,
                    cold,
                });
            }
        }
    }

    pub fn nullable_records(&mut self, nullable: bool, value: Option<&Records>) {
        match value {
            Some(value) => self.records(value),
            None => self.null(nullable),
        }
    }

    /// Says whether a nullable struct follows.
    pub fn present(&mut self, present: bool) {
        self.i8(if present { 1 } else { -1 });
    }

    pub fn array<T>(&mut self, values: &[T], mut element: impl FnMut(&mut Self, &T)) {
        self.long_len(values.len());
        for value in values {
            element(self, value);
        }
    }

    pub fn nullable_array<T>(
        &mut self,
        nullable: bool,
        values: Option<&[T]>,
        element: impl FnMut(&mut Self, &T),
    ) {
        match values {
            Some(values) => self.array(values, element),
            None => self.null(nullable),
        }
    }

    /// One tagged field. It must not hold records.
    pub fn tagged(&mut self, tag: u32, body: impl FnOnce(&mut Self)) {
        self.uvarint(tag);
        let start = self.buffer.len();
        body(self);
        let body_end = self.buffer.len();
        self.uvarint((body_end - start) as u32);
        let len_len = self.buffer.len() - body_end;
        self.buffer[start..].rotate_right(len_len);
    }

    fn null(&mut self, nullable: bool) {
        match (nullable, self.flexible) {
            (false, _) => self.long_len(0),
            (true, true) => self.uvarint(0),
            (true, false) => self.i32(-1),
        }
    }

    fn long_len(&mut self, len: usize) {
        // Messages are far smaller than what an i32 can say: frames are bounded.
        if self.flexible {
            self.uvarint(len as u32 + 1);
        } else {
            self.i32(len as i32);
        }
    }

    fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.parts.push(Part::Bytes(self.buffer.split().freeze()));
        }
    }
}
