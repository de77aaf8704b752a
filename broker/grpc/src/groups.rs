//! Consumer groups with their offsets and lag.

use tonic::Status;
use weir_api::{Caller, CommittedOffset, Engine, GroupMember, OffsetSpec, TopicRef};
use weir_proto::admin as pb;
use weir_types::LeaderEpoch;

use crate::status::status;

pub(crate) async fn list(engine: &dyn Engine) -> Result<Vec<pb::Group>, Status> {
    let listed = engine
        .list_groups(&Caller::internal())
        .await
        .map_err(status)?;
    let group = |g: weir_api::GroupListing| pb::Group {
        id: g.group,
        state: g.state.to_owned(),
        protocol_type: g.protocol_type,
        ..pb::Group::default()
    };
    Ok(listed.into_iter().map(group).collect())
}

pub(crate) async fn describe(engine: &dyn Engine, id: &str) -> Result<pb::Group, Status> {
    let caller = Caller::internal();
    let found = engine.describe_group(&caller, id).await.map_err(status)?;
    let committed = engine
        .committed_offsets(&caller, id, None)
        .await
        .map_err(status)?;
    let mut offsets = Vec::with_capacity(committed.len());
    for offset in committed {
        offsets.push(group_offset(engine, offset).await);
    }
    Ok(pb::Group {
        id: found.group,
        state: found.state.to_owned(),
        protocol_type: found.protocol_type,
        protocol: found.protocol,
        members: found.members.into_iter().map(member).collect(),
        offsets,
    })
}

/// With the lag, where this broker leads the partition: from the committed offset, but never from
/// below the log's start, to the high watermark.
async fn group_offset(engine: &dyn Engine, committed: CommittedOffset) -> pb::GroupOffset {
    let caller = Caller::internal();
    let topic = TopicRef::Name(committed.partition.topic.clone());
    let index = committed.partition.index;
    let find = |spec| {
        let (caller, topic) = (&caller, &topic);
        async move {
            let isolation = weir_api::Isolation::ReadUncommitted;
            let found = engine
                .find_offset(caller, topic, index, LeaderEpoch::NONE, spec, isolation)
                .await;
            found.ok().map(|f| f.offset.0)
        }
    };
    let start = find(OffsetSpec::Earliest).await;
    let end = find(OffsetSpec::Latest).await;
    let lag = start
        .zip(end)
        .map(|(start, end)| (end - committed.offset.0.max(start)).max(0));
    pb::GroupOffset {
        topic: committed.partition.topic,
        partition: index,
        committed: committed.offset.0,
        lag,
        end,
        metadata: committed.metadata,
    }
}

fn member(member: GroupMember) -> pb::GroupMember {
    pb::GroupMember {
        assigned: assignment(&member.assignment).unwrap_or_default(),
        id: member.member,
        instance: member.instance,
        client_id: member.client_id,
        client_host: member.client_host,
    }
}

/// The consumer protocol's assignment (version, then topics with their partitions); `None` where
/// the bytes are something else.
fn assignment(bytes: &[u8]) -> Option<Vec<pb::TopicPartition>> {
    let mut rest = bytes.get(2..)?;
    let mut assigned = Vec::new();
    for _ in 0..take_i32(&mut rest)? {
        let len = take_i16(&mut rest)?;
        let (name, tail) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        rest = tail;
        let topic = std::str::from_utf8(name).ok()?;
        for _ in 0..take_i32(&mut rest)? {
            let partition = take_i32(&mut rest)?;
            assigned.push(pb::TopicPartition {
                topic: topic.to_owned(),
                partition,
            });
        }
    }
    Some(assigned)
}

fn take_i32(rest: &mut &[u8]) -> Option<i32> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(i32::from_be_bytes(*head))
}

fn take_i16(rest: &mut &[u8]) -> Option<i16> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(i16::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_and_nonsense_is_not() {
        let bytes = [
            0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0,
        ];
        let read = assignment(&bytes).expect("well formed");
        let pairs: Vec<_> = read
            .iter()
            .map(|p| (p.topic.as_str(), p.partition))
            .collect();
        assert_eq!(pairs, [("t", 0), ("t", 5)]);
        assert_eq!(assignment(&bytes[..12]), None);
        assert_eq!(assignment(&[0, 1, 0x7f, 0xff, 0xff, 0xff]), None);
        assert_eq!(assignment(&[]), None);
    }
}
