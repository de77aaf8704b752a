use bytes::Bytes;
use weir_api::RecordSlice;

/// Record batches as a field of a message: bytes in memory, or still in a file.
#[derive(Clone, Debug)]
pub struct Records(pub RecordSlice);

impl Records {
    /// `None` if they lie in a file.
    pub fn in_memory(&self) -> Option<&Bytes> {
        match &self.0 {
            RecordSlice::Memory(bytes) => Some(bytes),
            RecordSlice::File { .. } => None,
        }
    }
}

impl Default for Records {
    fn default() -> Self {
        Self(RecordSlice::EMPTY)
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self(RecordSlice::Memory(bytes))
    }
}

/// Records in files are equal to nothing.
impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        match (self.in_memory(), other.in_memory()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }
}
