use bytes::{BufMut, Bytes, BytesMut};
use weir_core::group::Committed;
use weir_types::{LeaderEpoch, Millis, Offset};

use super::{
    FormatError,
    primitive::{Reader, put_string},
};

/// `OffsetCommitValue`.
const VERSION: i16 = 3;
/// The one with a time of expiry.
const EXPIRING_VERSION: i16 = 1;

/// Version 1 has a time of expiry, 3 a leader epoch; 0 and 2 neither.
pub(in crate::group) fn read_offset(bytes: Bytes) -> Result<Committed, FormatError> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?;
    if !(0..=VERSION).contains(&version) {
        return Err(FormatError::Version(version));
    }
    let offset = Offset(reader.i64()?);
    let leader_epoch = match version {
        3 => LeaderEpoch(reader.i32()?),
        _ => LeaderEpoch::NONE,
    };
    let metadata = reader.string()?;
    let committed_at = Millis(reader.i64()?);
    let expires_at = match version {
        EXPIRING_VERSION => Some(Millis(reader.i64()?)).filter(|at| at.0 >= 0),
        _ => None,
    };
    reader.end()?;
    Ok(Committed {
        offset,
        leader_epoch,
        metadata,
        committed_at,
        expires_at,
    })
}

/// With a time of expiry in the version that has one, as Kafka does: whoever names it is too old
/// to name a leader epoch.
pub(in crate::group) fn write_offset(committed: &Committed) -> Result<Bytes, FormatError> {
    let mut out = BytesMut::with_capacity(24 + committed.metadata.len());
    let version = match committed.expires_at {
        Some(_) => EXPIRING_VERSION,
        None => VERSION,
    };
    out.put_i16(version);
    out.put_i64(committed.offset.0);
    if version == VERSION {
        out.put_i32(committed.leader_epoch.0);
    }
    put_string(&mut out, &committed.metadata)?;
    out.put_i64(committed.committed_at.0);
    if let Some(at) = committed.expires_at {
        out.put_i64(at.0);
    }
    Ok(out.freeze())
}
