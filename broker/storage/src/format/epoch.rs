//! Where each leader epoch starts in a log (KIP-101).

use super::{Cursor, Kind};

const VERSION: u8 = 1;
pub(crate) const ENTRY_BYTES: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochEntry {
    pub epoch: i32,
    pub start: i64,
}

impl EpochEntry {
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&[Kind::Epoch as u8, VERSION, 0, 0]);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.start.to_be_bytes());
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
        if Cursor(crc).u32() != Some(crc32c::crc32c(entry)) || entry[0] != Kind::Epoch as u8 {
            return Ok(None);
        }
        if entry[1] != VERSION {
            return Err(format!(
                "epoch entry of version {}, not {VERSION}",
                entry[1]
            ));
        }
        let mut cursor = Cursor(&entry[4..]);
        Ok(cursor
            .i32()
            .zip(cursor.i64())
            .map(|(epoch, start)| Self { epoch, start }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::hex, *};

    #[test]
    fn golden_bytes() {
        let entry = EpochEntry {
            epoch: 5,
            start: 1000,
        };
        let mut bytes = Vec::new();
        entry.encode_into(&mut bytes);
        assert_eq!(hex(&bytes), "030100000000000500000000000003e841f94b2f");
        assert_eq!(EpochEntry::decode(&bytes), Ok(Some(entry)));
    }
}
