//! What brokers say to each other about partitions: postcard messages of kinds 0x0200 and up.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionId};

use crate::peer::PeerFault;

pub(super) const KIND_FIRST: u16 = 0x0200;
pub(super) const KIND_FETCH: u16 = 0x0200;
/// Answer the fetch that is held in a session: there are changes to come.
pub(super) const KIND_POKE: u16 = 0x0201;
pub(super) const KIND_REPORT: u16 = 0x0202;
pub(super) const KIND_LAST: u16 = 0x02ff;

/// A follower's shard asks a leader for records. A session remembers the partitions: a request
/// carries only what changed since the last one (KIP-227).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FetchRequest {
    pub(super) session: SessionKey,
    /// The session begins: everything is in `changes`.
    pub(super) fresh: bool,
    pub(super) changes: Vec<Change>,
    pub(super) removed: Vec<PartitionId>,
    pub(super) wait_ms: u32,
    pub(super) bytes_max: u32,
    pub(super) partition_bytes_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionKey {
    pub(super) follower: BrokerId,
    pub(super) epoch: BrokerEpoch,
    /// The follower's shard: it has one session at a time with a leader.
    pub(super) shard: u16,
    /// Grows with every session of that shard.
    pub(super) number: u64,
}

/// Where a follower goes on in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) partition: PartitionId,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) offset: Offset,
    /// Epoch of its last record; none for an empty log.
    pub(super) last_epoch: LeaderEpoch,
    pub(super) log_start: Offset,
}

/// What a follower has durably, under a leader epoch whose leader has answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) partition: PartitionId,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) durable_end: Offset,
    pub(super) log_start: Offset,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReportRequest {
    pub(super) follower: BrokerId,
    pub(super) epoch: BrokerEpoch,
    pub(super) reports: Vec<Report>,
}

/// Stands at the end of an answer, behind the records, so that these are read straight into it:
/// `records.. header header_length(u32 LE)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FetchAnswer {
    /// The leader has forgotten the session (or never had it): begin another.
    pub(super) unknown_session: bool,
    /// Their records stand one after the other, in this order.
    pub(super) partitions: Vec<Answered>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answered {
    pub(super) partition: PartitionId,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Records {
        len: u32,
        high_watermark: Offset,
        log_start: Offset,
    },
    Diverging {
        epoch: LeaderEpoch,
        end: Offset,
    },
    OutOfRange {
        log_start: Offset,
    },
    /// Not led here, another epoch, or not readable now: ask again a little later.
    Refused,
}

pub(super) fn encode<T: Serialize>(message: &T) -> Bytes {
    // Writing to memory fails for no type above.
    postcard::to_stdvec(message)
        .map(Bytes::from)
        .unwrap_or_default()
}

pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, PeerFault> {
    postcard::from_bytes(body).map_err(|e| PeerFault::Malformed(e.to_string()))
}

/// Puts the header behind the records.
pub(super) fn finish_answer(mut records: Vec<u8>, answer: &FetchAnswer) -> Bytes {
    let header = encode(answer);
    records.extend_from_slice(&header);
    let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    records.extend_from_slice(&length.to_le_bytes());
    Bytes::from(records)
}

/// The header, and the records of each partition in turn.
pub(super) fn split_answer(body: &Bytes) -> Option<(FetchAnswer, Vec<Bytes>)> {
    let (rest, length) = body.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let records_end = rest.len().checked_sub(length)?;
    let answer: FetchAnswer = postcard::from_bytes(&rest[records_end..]).ok()?;
    let mut at = 0_usize;
    let mut records = Vec::with_capacity(answer.partitions.len());
    for answered in &answer.partitions {
        let len = match answered.outcome {
            Outcome::Records { len, .. } => usize::try_from(len).ok()?,
            _ => 0,
        };
        let end = at.checked_add(len).filter(|end| *end <= records_end)?;
        records.push(body.slice(at..end));
        at = end;
    }
    Some((answer, records))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(len: u32) -> Answered {
        let (high_watermark, log_start) = (Offset(3), Offset(1));
        Answered {
            partition: PartitionId::default(),
            leader_epoch: LeaderEpoch(2),
            outcome: Outcome::Records {
                len,
                high_watermark,
                log_start,
            },
        }
    }

    #[test]
    fn an_answer_comes_apart_as_it_was_put_together() {
        let answer = FetchAnswer {
            unknown_session: false,
            partitions: vec![answered(3), answered(0), answered(2)],
        };
        let body = finish_answer(b"abcde".to_vec(), &answer);
        let (read, records) = split_answer(&body).expect("well formed");
        assert_eq!(read, answer);
        assert_eq!(records, ["abc".as_bytes(), b"", b"de"]);
    }

    #[test]
    fn an_answer_that_lies_about_lengths_is_refused() {
        let answer = FetchAnswer {
            unknown_session: false,
            partitions: vec![answered(6)],
        };
        assert!(split_answer(&finish_answer(b"abcde".to_vec(), &answer)).is_none());
        assert!(split_answer(&Bytes::from_static(&[1, 2, 255, 255, 255, 255])).is_none());
        assert!(split_answer(&Bytes::from_static(&[0])).is_none());
    }
}
