use bytes::{BufMut, Bytes, BytesMut};
use weir_core::group::OffsetKey;

use super::{
    FormatError,
    primitive::{Reader, put_string},
};

/// `OffsetCommitKey`; version 0 is the same.
const OFFSET_KEY: i16 = 1;
/// `GroupMetadataKey`.
const GROUP_KEY: i16 = 2;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::group) enum Key {
    Offset {
        group: String,
        key: OffsetKey,
    },
    Group {
        group: String,
    },
    /// Of this version, which another broker may know.
    Unknown(i16),
}

pub(in crate::group) fn read_key(bytes: Bytes) -> Result<Key, FormatError> {
    let mut reader = Reader::new(bytes);
    let key = match reader.i16()? {
        0 | OFFSET_KEY => {
            let group = reader.string()?;
            let topic = reader.string()?;
            let index = reader.i32()?;
            Key::Offset {
                group,
                key: OffsetKey { topic, index },
            }
        }
        GROUP_KEY => Key::Group {
            group: reader.string()?,
        },
        other => return Ok(Key::Unknown(other)),
    };
    reader.end()?;
    Ok(key)
}

pub(in crate::group) fn write_offset_key(
    group: &str,
    key: &OffsetKey,
) -> Result<Bytes, FormatError> {
    let mut out = BytesMut::with_capacity(10 + group.len() + key.topic.len());
    out.put_i16(OFFSET_KEY);
    put_string(&mut out, group)?;
    put_string(&mut out, &key.topic)?;
    out.put_i32(key.index);
    Ok(out.freeze())
}

pub(in crate::group) fn write_group_key(group: &str) -> Result<Bytes, FormatError> {
    let mut out = BytesMut::with_capacity(4 + group.len());
    out.put_i16(GROUP_KEY);
    put_string(&mut out, group)?;
    Ok(out.freeze())
}
