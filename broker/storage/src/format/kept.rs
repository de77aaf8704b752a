//! How a partition's log was kept so far.

use super::{Cursor, Kind, seal, unseal};

const VERSION: u8 = 1;

pub(crate) fn encode(flags: u8) -> Vec<u8> {
    seal(Kind::Kept, VERSION, &[flags])
}

pub(crate) fn decode(bytes: &[u8]) -> Result<u8, String> {
    Cursor(unseal(Kind::Kept, VERSION, bytes)?)
        .u8()
        .ok_or_else(|| "too short".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::hex, *};

    #[test]
    fn golden_bytes() {
        assert_eq!(hex(&encode(3)), "0801000000000001412da0a503");
    }

    #[test]
    fn flags_come_back() {
        assert_eq!(decode(&encode(3)), Ok(3));
        assert!(decode(&encode(3)[..12]).is_err());
    }
}
