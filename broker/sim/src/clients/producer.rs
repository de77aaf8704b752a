//! An idempotent producer as Kafka's Java client is one (KIP-98): up to five batches under way to each
//! broker, sent again in order, one by one.

use std::collections::VecDeque;

use bytes::Bytes;
use weir_types::{BrokerId, LeaderEpoch, Offset, PartitionId};

use crate::dice::Dice;
use crate::message::Refusal;
use crate::records::{Sequence, build};

/// Batches under way to one broker.
const IN_FLIGHT_MAX: usize = 5;
/// Batches that are not settled.
const QUEUED_MAX: usize = 16;
/// How far a batch may be ahead of the oldest one that is not settled. Answers on one connection come
/// in order, so five at a time overtake it by each of two others: the leaders after the first.
const AHEAD_MAX: u64 = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be sent, or sent again.
    Waits,
    Sent {
        to: Option<BrokerId>,
    },
    /// Refused, and sent again after a pause.
    Pauses,
}

/// A batch that is not settled.
#[derive(Clone, Debug)]
struct Batch {
    records: Bytes,
    keys: Vec<u64>,
    first: i32,
    /// Counts the producer's batches.
    number: u64,
    state: State,
    /// Names the latest attempt.
    request: u64,
    /// What was acknowledged when it was sent.
    acknowledged: Option<i32>,
    attempts: u64,
    attempts_max: u64,
}

impl Batch {
    fn last(&self) -> i32 {
        self.first + i32::try_from(self.keys.len()).unwrap_or(0) - 1
    }
}

/// What an answer means to the producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not an answer to a batch's latest attempt.
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

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    Send(Bytes),
    /// The first batch has been tried often enough.
    GiveUp,
}

#[derive(Clone, Debug)]
pub struct Producer {
    pub partition: PartitionId,
    pub acks_all: bool,
    /// In order of sequences.
    queue: VecDeque<Batch>,
    id: i64,
    next_sequence: i32,
    next_number: u64,
    last_acknowledged: Option<i32>,
    /// Of the leader that acknowledged last.
    leader_epoch: LeaderEpoch,
}

impl Producer {
    pub fn new(partition: PartitionId, acks_all: bool, id: i64) -> Self {
        Self {
            partition,
            acks_all,
            queue: VecDeque::new(),
            id,
            next_sequence: 0,
            next_number: 0,
            last_acknowledged: None,
            leader_epoch: LeaderEpoch::NONE,
        }
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether another batch may begin. Who is not known yet may begin anywhere, so the first batch
    /// is waited for: links here deliver in any order.
    pub fn has_room(&self) -> bool {
        let known = self.last_acknowledged.is_some();
        self.queue.len() < if known { QUEUED_MAX } else { 1 }
    }

    /// Begins a batch with these records; the caller sends it.
    pub fn begin(&mut self, dice: &mut Dice, keys: Vec<u64>, wall_ms: i64) {
        let first = self.next_sequence;
        let sequence = Sequence {
            producer: self.id,
            epoch: 0,
            first,
        };
        // Some batches span sectors, most do not.
        let filler = if dice.chance(100) {
            dice.range(500, 3000)
        } else {
            dice.range(0, 200)
        };
        let filler = usize::try_from(filler).unwrap_or(0);
        let records = build(sequence, &keys, filler, wall_ms);
        let attempts_max = if dice.chance(20) {
            1
        } else {
            dice.range(4, 40)
        };
        self.next_sequence += i32::try_from(keys.len()).unwrap_or(0);
        self.next_number += 1;
        self.queue.push_back(Batch {
            records,
            keys,
            first,
            number: self.next_number,
            state: State::Waits,
            request: 0,
            acknowledged: None,
            attempts: 0,
            attempts_max,
        });
    }

    /// The next batch that may go to `leader`, under a new request number.
    pub fn next(&mut self, request: u64, leader: Option<BrokerId>) -> Next {
        let sent_to = |b: &&Batch| b.state == State::Sent { to: leader };
        let under_way = self.queue.iter().filter(sent_to).count();
        let first_open = |b: &Batch| !matches!(b.state, State::Sent { .. });
        let Some(at) = self.queue.iter().position(first_open) else {
            return Next::Nothing;
        };
        let oldest = self.queue.front().map_or(0, |b| b.number);
        let Some(batch) = self
            .queue
            .get_mut(at)
            .filter(|b| b.number < oldest + AHEAD_MAX)
        else {
            return Next::Nothing;
        };
        // What is sent again goes alone, so that nothing overtakes it.
        let again = batch.attempts > 0;
        if batch.state == State::Pauses || (again && at > 0) || under_way >= IN_FLIGHT_MAX {
            return Next::Nothing;
        }
        if batch.attempts >= batch.attempts_max {
            return Next::GiveUp;
        }
        batch.attempts += 1;
        batch.request = request;
        batch.acknowledged = self.last_acknowledged;
        batch.state = State::Sent { to: leader };
        Next::Send(batch.records.clone())
    }

    /// The attempt's pause is over, or nobody answered it.
    pub fn again(&mut self, request: u64) {
        if let Some(batch) = self.queue.iter_mut().find(|b| b.request == request) {
            batch.state = State::Waits;
        }
    }

    /// Forgets its batches and goes on under `id`. Gives back how many records have no known fate.
    pub fn give_up(&mut self, id: i64) -> u64 {
        self.id = id;
        self.next_sequence = 0;
        self.last_acknowledged = None;
        self.queue.drain(..).map(|b| b.keys.len() as u64).sum()
    }

    pub fn answered(
        &mut self,
        request: u64,
        result: Result<(LeaderEpoch, Offset), Refusal>,
        next_id: i64,
    ) -> Verdict {
        let is_it = |b: &Batch| b.request == request && matches!(b.state, State::Sent { .. });
        let Some(at) = self.queue.iter().position(is_it) else {
            return Verdict::Ignore;
        };
        let (first, last) = (self.queue[at].first, self.queue[at].last());
        let due = self.queue[at].acknowledged.map_or(0, |last| last + 1);
        match result {
            Ok((epoch, base)) => {
                self.leader_epoch = self.leader_epoch.max(epoch);
                self.last_acknowledged = self.last_acknowledged.max(Some(last));
                let keys = self.queue.remove(at).map(|b| b.keys).unwrap_or_default();
                Verdict::Acknowledged { base, keys }
            }
            // A deposed leader that does not know it yet has not what its heir acknowledged.
            Err(Refusal::OutOfOrder(epoch)) if epoch < self.leader_epoch => self.pause(at),
            // An earlier batch is still on its way.
            Err(Refusal::OutOfOrder(_)) if first > due => self.pause(at),
            // When it was sent, all before it was acknowledged, or something after it was, so that it
            // is in the log itself.
            Err(Refusal::OutOfOrder(_)) if self.acks_all => Verdict::Forgotten,
            // With acks=1 what was acknowledged may be lost, and with it the sequence.
            Err(Refusal::OutOfOrder(_) | Refusal::Other(_)) => Verdict::Unknown {
                records: self.give_up(next_id),
            },
            Err(_) => self.pause(at),
        }
    }

    fn pause(&mut self, at: usize) -> Verdict {
        self.queue[at].state = State::Pauses;
        Verdict::Retry
    }
}
