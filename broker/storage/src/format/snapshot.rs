//! What a log knows of its idempotent producers, at one offset.

use super::{Cursor, Kind, seal, unseal};

const VERSION: u8 = 1;
/// Batches that are remembered of each producer. Kafka remembers five, the most that a producer has
/// in flight to one broker. While leaders change it has them in flight to several: those to the next
/// leader may be taken before those to the last are refused and sent again, and then they have to be
/// known, or they are out of order for ever.
pub(crate) const BATCHES_MAX: usize = 20;

/// A batch that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenBatch {
    pub first_sequence: i32,
    pub last_sequence: i32,
    pub base_offset: i64,
    /// Inclusive.
    pub last_offset: i64,
    /// As it was answered the first time; -1 on CreateTime.
    pub append_time_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenProducer {
    pub id: i64,
    pub epoch: i16,
    /// Broker's clock at the last append.
    pub seen_ms: i64,
    /// Oldest first, at most [`BATCHES_MAX`].
    pub batches: Vec<SeenBatch>,
}

/// `offset`: everything below is in the snapshot.
pub(crate) fn encode<'a>(
    offset: i64,
    producers: impl Iterator<Item = &'a SeenProducer>,
) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&offset.to_be_bytes());
    for producer in producers {
        body.extend_from_slice(&producer.id.to_be_bytes());
        body.extend_from_slice(&producer.epoch.to_be_bytes());
        body.extend_from_slice(&producer.seen_ms.to_be_bytes());
        body.push(producer.batches.len() as u8);
        for batch in &producer.batches {
            body.extend_from_slice(&batch.first_sequence.to_be_bytes());
            body.extend_from_slice(&batch.last_sequence.to_be_bytes());
            body.extend_from_slice(&batch.base_offset.to_be_bytes());
            body.extend_from_slice(&batch.last_offset.to_be_bytes());
            body.extend_from_slice(&batch.append_time_ms.to_be_bytes());
        }
    }
    seal(Kind::Snapshot, VERSION, &body)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<(i64, Vec<SeenProducer>), String> {
    let mut body = Cursor(unseal(Kind::Snapshot, VERSION, bytes)?);
    let offset = body.i64().ok_or("snapshot is too short")?;
    let mut producers = Vec::new();
    while !body.0.is_empty() {
        producers.push(decode_producer(&mut body).ok_or("snapshot is too short")?);
    }
    Ok((offset, producers))
}

fn decode_producer(body: &mut Cursor<'_>) -> Option<SeenProducer> {
    let (id, epoch, seen_ms) = (body.i64()?, body.i16()?, body.i64()?);
    let count = usize::from(body.u8()?);
    let mut batches = Vec::with_capacity(count.min(BATCHES_MAX));
    for _ in 0..count {
        batches.push(SeenBatch {
            first_sequence: body.i32()?,
            last_sequence: body.i32()?,
            base_offset: body.i64()?,
            last_offset: body.i64()?,
            append_time_ms: body.i64()?,
        });
    }
    Some(SeenProducer {
        id,
        epoch,
        seen_ms,
        batches,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::hex, *};

    #[test]
    fn golden_bytes() {
        let producer = SeenProducer {
            id: 11,
            epoch: 2,
            seen_ms: 1000,
            batches: vec![SeenBatch {
                first_sequence: 4,
                last_sequence: 6,
                base_offset: 40,
                last_offset: 42,
                append_time_ms: -1,
            }],
        };
        let bytes = encode(43, [&producer].into_iter());
        assert_eq!(
            hex(&bytes),
            "040100000000003b3ff073ee000000000000002b000000000000000b000200000000000003e80100000004000000060000000000000028000000000000002affffffffffffffff"
        );
        assert_eq!(decode(&bytes), Ok((43, vec![producer])));
    }
}
