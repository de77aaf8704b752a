//! An idempotent producer with one batch under way (KIP-98).

use bytes::Bytes;
use weir_types::{LeaderEpoch, Offset, PartitionId};

use crate::dice::Dice;
use crate::message::Refusal;
use crate::records::{Sequence, build};

/// A batch that was sent and is not settled.
#[derive(Clone, Debug)]
pub struct InFlight {
    pub records: Bytes,
    pub keys: Vec<u64>,
    /// Names the latest attempt.
    pub request: u64,
    pub attempts: u64,
    attempts_max: u64,
}

/// What an answer means to the producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not an answer to the latest attempt.
    Ignore,
    Acknowledged {
        base: Offset,
        keys: Vec<u64>,
    },
    /// Sent again after a pause.
    Retry,
    /// Given up: its records may be there or not, and the producer goes on under a new id.
    Unknown {
        records: u64,
    },
    /// The broker does not know what it acknowledged to this producer.
    Forgotten,
}

#[derive(Clone, Debug)]
pub struct Producer {
    pub partition: PartitionId,
    pub acks_all: bool,
    pub in_flight: Option<InFlight>,
    id: i64,
    next_sequence: i32,
    /// Of the leader that acknowledged last.
    leader_epoch: LeaderEpoch,
}

impl Producer {
    pub fn new(partition: PartitionId, acks_all: bool, id: i64) -> Self {
        Self {
            partition,
            acks_all,
            in_flight: None,
            id,
            next_sequence: 0,
            leader_epoch: LeaderEpoch::NONE,
        }
    }

    /// Begins a batch with these records; the caller sends it.
    pub fn begin(&mut self, dice: &mut Dice, keys: Vec<u64>, wall_ms: i64) {
        let sequence = Sequence {
            producer: self.id,
            epoch: 0,
            first: self.next_sequence,
        };
        // Some batches span sectors, most do not.
        let filler = if dice.chance(100) {
            dice.range(500, 3000)
        } else {
            dice.range(0, 200)
        };
        let filler = usize::try_from(filler).unwrap_or(0);
        let records = build(sequence, &keys, filler, wall_ms);
        let attempts_max = if dice.chance(100) {
            1
        } else {
            dice.range(4, 40)
        };
        self.in_flight = Some(InFlight {
            records,
            keys,
            request: 0,
            attempts: 0,
            attempts_max,
        });
    }

    /// The next attempt under a new request number; none if the batch is given up instead.
    pub fn attempt(&mut self, request: u64) -> Option<Bytes> {
        let batch = self.in_flight.as_mut()?;
        if batch.attempts >= batch.attempts_max {
            return None;
        }
        batch.attempts += 1;
        batch.request = request;
        Some(batch.records.clone())
    }

    /// Forgets the batch and goes on under `id`. Gives back how many records have no known fate.
    pub fn give_up(&mut self, id: i64) -> u64 {
        self.id = id;
        self.next_sequence = 0;
        self.in_flight.take().map_or(0, |b| b.keys.len() as u64)
    }

    pub fn answered(
        &mut self,
        request: u64,
        result: Result<(LeaderEpoch, Offset), Refusal>,
        next_id: i64,
    ) -> Verdict {
        let Some(batch) = self.in_flight.take_if(|b| b.request == request) else {
            return Verdict::Ignore;
        };
        match result {
            Ok((epoch, base)) => {
                self.leader_epoch = self.leader_epoch.max(epoch);
                self.next_sequence += i32::try_from(batch.keys.len()).unwrap_or(0);
                Verdict::Acknowledged {
                    base,
                    keys: batch.keys,
                }
            }
            // A deposed leader that does not know it yet has not what its heir acknowledged.
            Err(Refusal::OutOfOrder(epoch)) if epoch < self.leader_epoch => {
                self.in_flight = Some(batch);
                Verdict::Retry
            }
            Err(Refusal::OutOfOrder(_)) if self.acks_all => Verdict::Forgotten,
            // With acks=1 what was acknowledged may be lost, and with it the sequence.
            Err(Refusal::OutOfOrder(_) | Refusal::Other(_)) => {
                self.in_flight = Some(batch);
                Verdict::Unknown {
                    records: self.give_up(next_id),
                }
            }
            Err(_) => {
                self.in_flight = Some(batch);
                Verdict::Retry
            }
        }
    }
}
