//! Idempotent producers of one log (KIP-98): what was appended last, so that a batch sent twice
//! is written once.

use crate::{
    batch::BatchHeader,
    error::AppendError,
    format::snapshot::{BATCHES_MAX, SeenBatch, SeenProducer},
};
use std::collections::HashMap;

/// Producers remembered of one log; beyond, the one seen longest ago is forgotten.
const PRODUCERS_MAX: usize = 50_000;

/// Batches that a producer has in flight to one broker at most (Kafka's clients).
const IN_FLIGHT_MAX: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct Producers {
    known: HashMap<i64, SeenProducer>,
}

/// What to do with a batch of an idempotent producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    Next,
    Duplicate(SeenBatch),
}

impl Producers {
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(crate) fn from_snapshot(producers: Vec<SeenProducer>) -> Self {
        Self {
            known: producers
                .into_iter()
                .map(|producer| (producer.id, producer))
                .collect(),
        }
    }

    pub(crate) fn in_order(&self) -> Vec<&SeenProducer> {
        let mut all: Vec<_> = self.known.values().collect();
        all.sort_unstable_by_key(|producer| producer.id);
        all
    }

    /// Kafka's rules: the same epoch continues or repeats one of the last batches; a newer
    /// epoch begins at 0; a producer that is not known (any more) may begin anywhere.
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<Sequence, AppendError> {
        let Some(known) = self.known.get(&header.producer_id) else {
            return Ok(Sequence::Next);
        };
        let producer = header.producer_id;
        if header.producer_epoch < known.epoch {
            let (current, found) = (known.epoch, header.producer_epoch);
            return Err(AppendError::InvalidProducerEpoch {
                producer,
                current,
                found,
            });
        }
        let found = header.base_sequence;
        if header.producer_epoch > known.epoch {
            return match found {
                0 => Ok(Sequence::Next),
                _ => Err(AppendError::OutOfOrderSequence {
                    producer,
                    expected: 0,
                    found,
                }),
            };
        }
        let last_sequence = header.last_sequence();
        let repeated = known
            .batches
            .iter()
            .find(|batch| batch.first_sequence == found && batch.last_sequence == last_sequence);
        if let Some(&batch) = repeated {
            return Ok(Sequence::Duplicate(batch));
        }
        let expected = match known.batches.last() {
            Some(last) if last.last_sequence == i32::MAX => 0,
            Some(last) => last.last_sequence + 1,
            None => return Ok(Sequence::Next),
        };
        if found == expected {
            Ok(Sequence::Next)
        } else {
            Err(AppendError::OutOfOrderSequence {
                producer,
                expected,
                found,
            })
        }
    }

    /// Takes note of a batch that is in the log.
    pub(crate) fn note(&mut self, header: &BatchHeader, now_ms: i64) {
        if header.producer_id < 0 || header.is_control() {
            return;
        }
        if self.known.len() >= PRODUCERS_MAX && !self.known.contains_key(&header.producer_id) {
            self.forget_oldest();
        }
        let producer = self
            .known
            .entry(header.producer_id)
            .or_insert_with(|| SeenProducer {
                id: header.producer_id,
                epoch: header.producer_epoch,
                seen_ms: now_ms,
                batches: Vec::with_capacity(1),
            });
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        producer.seen_ms = now_ms;
        if producer.batches.len() == BATCHES_MAX {
            producer.batches.remove(0);
        }
        producer.batches.push(SeenBatch {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            append_time_ms: if header.is_log_append_time() {
                header.max_timestamp
            } else {
                -1
            },
        });
    }

    /// Forgets batches from `end` on. False: of some producer too little is left, and the log has
    /// to be asked; what is remembered is then of no use.
    #[must_use]
    pub(crate) fn cut(&mut self, end: i64) -> bool {
        self.known.values_mut().all(|producer| {
            let before = producer.batches.len();
            producer.batches.retain(|batch| batch.last_offset < end);
            let left = producer.batches.len();
            // Of few batches all were remembered; none left may mean an epoch before this one.
            left == before || left >= IN_FLIGHT_MAX || (before < BATCHES_MAX && left > 0)
        })
    }

    /// Whether the batch is the last one of its producer.
    pub(crate) fn is_last_batch(&self, header: &BatchHeader) -> bool {
        self.known.get(&header.producer_id).is_some_and(|producer| {
            producer
                .batches
                .last()
                .is_some_and(|last| last.last_offset == header.last_offset())
        })
    }

    /// Forgets producers that appended nothing for this long.
    pub(crate) fn expire(&mut self, now_ms: i64, expiry_ms: i64) {
        self.known
            .retain(|_, producer| now_ms.saturating_sub(producer.seen_ms) < expiry_ms);
        if self.known.is_empty() {
            self.known.shrink_to_fit();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self
            .known
            .values()
            .min_by_key(|producer| (producer.seen_ms, producer.id));
        if let Some(id) = oldest.map(|producer| producer.id) {
            self.known.remove(&id);
        }
    }
}
