//! Durable marks: up to where a partition's log was synced.
//!
//! The file is a row of entries of one size, each with its own CRC, so that a bad one costs only
//! itself. The last entry of a partition counts.

use super::{Cursor, Kind};
use uuid::Uuid;
use weir_types::{PartitionId, TopicId};

const VERSION: u8 = 1;
pub(crate) const ENTRY_BYTES: usize = 36;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub partition: PartitionId,
    /// Everything below is durable. -1: the partition has no mark any more.
    pub offset: i64,
}

impl Mark {
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&[Kind::Mark as u8, VERSION, 0, 0]);
        out.extend_from_slice(self.partition.topic.0.as_bytes());
        out.extend_from_slice(&self.partition.index.to_be_bytes());
        out.extend_from_slice(&self.offset.to_be_bytes());
        let crc = crc32c::crc32c(&out[from..]);
        out.extend_from_slice(&crc.to_be_bytes());
    }

    /// `Ok(None)`: a bad entry.
    ///
    /// # Errors
    /// A sound entry of a version that this build does not know.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some((entry, crc)) = bytes.split_at_checked(ENTRY_BYTES - 4) else {
            return Ok(None);
        };
        if Cursor(crc).u32() != Some(crc32c::crc32c(entry)) || entry[0] != Kind::Mark as u8 {
            return Ok(None);
        }
        if entry[1] != VERSION {
            return Err(format!(
                "durable mark of version {}, not {VERSION}",
                entry[1]
            ));
        }
        let mut cursor = Cursor(&entry[4..]);
        Ok((|| {
            let topic = TopicId(Uuid::from_u128(cursor.u128()?));
            let partition = PartitionId::new(topic, cursor.i32()?);
            Some(Self {
                partition,
                offset: cursor.i64()?,
            })
        })())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::hex, *};

    #[test]
    fn golden_bytes() {
        let partition = PartitionId::new(TopicId(Uuid::from_u128(9)), 3);
        let mark = Mark {
            partition,
            offset: 77,
        };
        let mut bytes = Vec::new();
        mark.encode_into(&mut bytes);
        assert_eq!(
            hex(&bytes),
            "020100000000000000000000000000000000000900000003000000000000004ddd28274b"
        );
        assert_eq!(bytes.len(), ENTRY_BYTES);
        assert_eq!(Mark::decode(&bytes), Ok(Some(mark)));
        bytes[20] ^= 1;
        assert_eq!(Mark::decode(&bytes), Ok(None));
    }
}
