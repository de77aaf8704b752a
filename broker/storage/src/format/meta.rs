//! Whose data folder this is.

use super::{Cursor, Kind, seal, unseal};
use uuid::Uuid;
use weir_types::{BrokerId, FolderId};

const VERSION: u8 = 1;
/// Format of the folder as a whole: what files there are and how they are named.
pub(crate) const FOLDER_FORMAT: i32 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub broker: BrokerId,
    pub folder: FolderId,
    /// Empty until the broker has joined one.
    pub cluster: Option<String>,
}

impl Meta {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&FOLDER_FORMAT.to_be_bytes());
        body.extend_from_slice(&self.broker.0.to_be_bytes());
        body.extend_from_slice(self.folder.0.as_bytes());
        let cluster = self.cluster.as_deref().unwrap_or_default();
        body.extend_from_slice(&(cluster.len() as i16).to_be_bytes());
        body.extend_from_slice(cluster.as_bytes());
        seal(Kind::Meta, VERSION, &body)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut body = Cursor(unseal(Kind::Meta, VERSION, bytes)?);
        let format = body.i32().ok_or("meta without a format")?;
        if format != FOLDER_FORMAT {
            return Err(format!(
                "folder format {format}, this build knows {FOLDER_FORMAT}"
            ));
        }
        let parsed = (|| {
            let broker = BrokerId(body.i32()?);
            let folder = FolderId(Uuid::from_u128(body.u128()?));
            let cluster = body.string()?;
            Some(Self {
                broker,
                folder,
                cluster: (!cluster.is_empty()).then_some(cluster),
            })
        })();
        parsed.ok_or_else(|| "meta is too short".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::hex, *};

    #[test]
    fn golden_bytes() {
        let meta = Meta {
            broker: BrokerId(7),
            folder: FolderId(Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10)),
            cluster: Some("weir".to_owned()),
        };
        let bytes = meta.encode();
        assert_eq!(
            hex(&bytes),
            "010100000000001ece5c65c800000001000000070102030405060708090a0b0c0d0e0f10000477656972"
        );
        assert_eq!(Meta::decode(&bytes), Ok(meta));
    }
}
