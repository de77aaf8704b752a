//! The marker of an orderly stop.

use super::{Cursor, Kind, seal, unseal};
use uuid::Uuid;
use weir_types::FolderId;

const VERSION: u8 = 1;

pub(crate) fn encode(folder: FolderId) -> Vec<u8> {
    seal(Kind::Clean, VERSION, folder.0.as_bytes())
}

/// Whose stop it was.
pub(crate) fn decode(bytes: &[u8]) -> Result<FolderId, String> {
    let mut body = Cursor(unseal(Kind::Clean, VERSION, bytes)?);
    body.u128()
        .map(|id| FolderId(Uuid::from_u128(id)))
        .ok_or_else(|| "too short".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::hex, *};

    #[test]
    fn golden_bytes() {
        let folder = FolderId(Uuid::from_u128(1));
        let bytes = encode(folder);
        assert_eq!(
            hex(&bytes),
            "0701000000000010b01b19e900000000000000000000000000000001"
        );
        assert_eq!(decode(&bytes), Ok(folder));
    }
}
