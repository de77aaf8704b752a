use bytes::{BufMut, Bytes, BytesMut};
use weir_core::group::{MemberSnapshot, Snapshot};
use weir_types::Millis;

use super::{
    FormatError,
    primitive::{Reader, put_bytes, put_nullable_string, put_string},
};

/// `GroupMetadataValue`.
const VERSION: i16 = 3;
/// Bytes of a member whose every field is empty, in version 0.
const MEMBER_BYTES_MIN: usize = 18;

/// Version 1 adds a member's rebalance timeout, 2 the time of the state, 3 instance ids.
pub(in crate::group) fn read_group(bytes: Bytes) -> Result<Snapshot, FormatError> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?;
    if !(0..=VERSION).contains(&version) {
        return Err(FormatError::Version(version));
    }
    let protocol_type = reader.string()?;
    let generation = reader.i32()?;
    let protocol = reader.nullable_string()?;
    let leader = reader.nullable_string()?;
    let state_since = match version {
        0 | 1 => None,
        _ => Some(Millis(reader.i64()?)).filter(|at| at.0 >= 0),
    };
    let count = reader.count(MEMBER_BYTES_MIN)?;
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        members.push(read_member(&mut reader, version)?);
    }
    reader.end()?;
    Ok(Snapshot {
        protocol_type,
        generation,
        protocol,
        leader,
        state_since,
        members,
    })
}

fn read_member(reader: &mut Reader, version: i16) -> Result<MemberSnapshot, FormatError> {
    let member = reader.string()?;
    let instance = if version >= 3 {
        reader.nullable_string()?
    } else {
        None
    };
    let client_id = reader.string()?;
    let client_host = reader.string()?;
    let rebalance_timeout_ms = if version >= 1 { reader.i32()? } else { -1 };
    let session_timeout_ms = reader.i32()?;
    let subscription = reader.bytes()?;
    let assignment = reader.bytes()?;
    let unset = rebalance_timeout_ms == -1;
    Ok(MemberSnapshot {
        member,
        instance,
        client_id,
        client_host,
        rebalance_timeout_ms: if unset {
            session_timeout_ms
        } else {
            rebalance_timeout_ms
        },
        session_timeout_ms,
        subscription,
        assignment,
    })
}

pub(in crate::group) fn write_group(snapshot: &Snapshot) -> Result<Bytes, FormatError> {
    let mut out = BytesMut::new();
    out.put_i16(VERSION);
    put_string(&mut out, &snapshot.protocol_type)?;
    out.put_i32(snapshot.generation);
    put_nullable_string(&mut out, snapshot.protocol.as_deref())?;
    put_nullable_string(&mut out, snapshot.leader.as_deref())?;
    out.put_i64(snapshot.state_since.map_or(-1, |at| at.0));
    out.put_i32(i32::try_from(snapshot.members.len()).map_err(|_| FormatError::Length)?);
    for member in &snapshot.members {
        put_string(&mut out, &member.member)?;
        put_nullable_string(&mut out, member.instance.as_deref())?;
        put_string(&mut out, &member.client_id)?;
        put_string(&mut out, &member.client_host)?;
        out.put_i32(member.rebalance_timeout_ms);
        out.put_i32(member.session_timeout_ms);
        put_bytes(&mut out, &member.subscription)?;
        put_bytes(&mut out, &member.assignment)?;
    }
    Ok(out.freeze())
}
