//! Where a log starts (delete-records, retention, reset).

use super::{Cursor, Kind, seal, unseal};

const VERSION: u8 = 1;

pub(crate) fn encode(start: i64) -> Vec<u8> {
    seal(Kind::Start, VERSION, &start.to_be_bytes())
}

pub(crate) fn decode(bytes: &[u8]) -> Result<i64, String> {
    Cursor(unseal(Kind::Start, VERSION, bytes)?)
        .i64()
        .ok_or_else(|| "too short".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::hex, *};

    #[test]
    fn golden_bytes() {
        let bytes = encode(258);
        assert_eq!(hex(&bytes), "06010000000000087eb15a0a0000000000000102");
        assert_eq!(decode(&bytes), Ok(258));
    }
}
