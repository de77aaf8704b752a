//! Clients act and hear.

use weir_types::{BrokerId, Offset, PartitionId};

use super::{Happening, World};
use crate::clients::{Next, Producer, Verdict};
use crate::invariants::Violation;
use crate::message::{Consume, Message, Node, Produce, Refusal};
use crate::records::parse;

const ANSWER_US_MAX: u64 = 800_000;
/// Of a thousand operations, how many come with a reassignment or a cordon.
const MOVES_PER_MILLE: u64 = 8;

impl World {
    /// One operation, now and then a fault, and the next operation.
    pub(super) fn operation(&mut self) -> Result<(), Violation> {
        self.stats.operations += 1;
        let free = self.pick_free_producer();
        match free.filter(|_| self.stats.operations % 10 < 7) {
            Some(producer) => self.begin_write(producer),
            None if self.dice.chance(5) => self.delete_records(),
            None => self.begin_read(),
        }
        if self.dice.chance(MOVES_PER_MILLE) {
            self.move_something()?;
        }
        let interval = self.options.operations / (self.options.faults + 1);
        if self.stats.faults < self.options.faults
            && self.stats.operations.is_multiple_of(interval.max(1))
        {
            self.strike()?;
        }
        if self.stats.operations < self.options.operations {
            let pause_us = self.dice.range(500, 25_000);
            self.queue.after(pause_us, Happening::Operation);
        } else {
            self.heal_everything();
        }
        Ok(())
    }

    fn pick_free_producer(&mut self) -> Option<usize> {
        let first = self.dice.index(self.producers.len());
        let count = self.producers.len();
        let has_room = |i: &usize| self.producers.get(*i).is_some_and(Producer::has_room);
        (0..count).map(|i| (first + i) % count).find(has_room)
    }

    fn begin_write(&mut self, producer: usize) {
        let count = self.dice.range(1, 4);
        let keys = (1..=count).map(|i| self.last_key + i).collect();
        self.last_key += count;
        let wall_ms = 1_700_000_000_000 + self.now().0;
        if let Some(p) = self.producers.get_mut(producer) {
            p.begin(&mut self.dice, keys, wall_ms);
        }
        self.send_batches(producer);
    }

    /// Whatever the producer may send now.
    fn send_batches(&mut self, producer: usize) {
        while self.send_next(producer) {}
    }

    fn send_next(&mut self, producer: usize) -> bool {
        let request = self.next_id();
        let next_id = self.next_producer_id();
        let Some(partition) = self.producers.get(producer).map(|p| p.partition) else {
            return false;
        };
        let leader = self.believed_leader(partition);
        let Some(p) = self.producers.get_mut(producer) else {
            return false;
        };
        let acks_all = p.acks_all;
        let records = match p.next(request, leader) {
            Next::Send(records) => records,
            Next::Nothing => return false,
            Next::GiveUp => {
                self.stats.unknown += p.give_up(next_id);
                return false;
            }
        };
        if let Some(leader) = leader {
            let asked = Produce {
                request,
                partition,
                acks_all,
                records,
            };
            let from = Node::Producer(producer);
            self.send(from, Node::Broker(leader), Message::Produce(asked));
        }
        let timeout = Happening::Retry { producer, request };
        self.queue.after(ANSWER_US_MAX, timeout);
        true
    }

    /// Clients' metadata is right most of the time.
    fn believed_leader(&mut self, partition: PartitionId) -> Option<BrokerId> {
        if self.dice.chance(50) {
            return self.dice.pick(&self.machines).map(|m| m.id);
        }
        self.quorum.image.partition(partition)?.leader
    }

    pub(super) fn retry(&mut self, producer: usize, request: u64) {
        if let Some(p) = self.producers.get_mut(producer) {
            p.again(request);
        }
        self.send_batches(producer);
    }

    pub(super) fn producer_answered(
        &mut self,
        index: usize,
        message: Message,
    ) -> Result<(), Violation> {
        let Message::Produced { request, result } = message else {
            return Ok(());
        };
        let next_id = self.next_producer_id();
        let Some(producer) = self.producers.get_mut(index) else {
            return Ok(());
        };
        let (partition, acks_all) = (producer.partition, producer.acks_all);
        match producer.answered(request, result.clone(), next_id) {
            Verdict::Ignore => {}
            Verdict::Acknowledged { base, keys } if acks_all => {
                self.stats.acknowledged += keys.len() as u64;
                self.trace.note(&[base.0]);
                let committed = self.invariants.logs_match.batch(partition, base);
                let no_loss = &mut self.invariants.no_loss;
                no_loss.acknowledged(partition, base, &keys, committed)?;
                self.send_batches(index);
            }
            Verdict::Acknowledged { .. } => self.send_batches(index),
            Verdict::Retry => {
                self.stats.refused += 1;
                let pause_us = self.dice.range(10_000, 100_000);
                let again = Happening::Retry {
                    producer: index,
                    request,
                };
                self.queue.after(pause_us, again);
            }
            Verdict::Unknown { records } => {
                self.line(|| format!("producer {index} gives up: {result:?}"));
                self.stats.refused += 1;
                self.stats.unknown += records;
            }
            Verdict::Forgotten => {
                let detail = format!("partition {}: producer {index}", partition.index);
                return Err(Violation::new(
                    "acknowledged sequences are remembered",
                    detail,
                ));
            }
        }
        Ok(())
    }

    fn begin_read(&mut self) {
        let request = self.next_id();
        let index = self.dice.index(self.consumers.len());
        let Some(consumer) = self.consumers.get_mut(index) else {
            return;
        };
        let Some(asked) = consumer.ask(&mut self.dice, request) else {
            return;
        };
        if let Some(leader) = self.believed_leader(asked.partition) {
            let from = Node::Consumer(index);
            self.send(from, Node::Broker(leader), Message::Consume(asked));
        }
    }

    /// Deletes an early part of what is committed.
    fn delete_records(&mut self) {
        let Some(partition) = self.dice.pick(&self.partitions).copied() else {
            return;
        };
        let logs = &self.invariants.logs_match;
        let committed = logs.committed_end(partition).0.unsigned_abs();
        let below = Offset(self.dice.below(committed + 1).cast_signed());
        if let Some(leader) = self.believed_leader(partition) {
            self.invariants.no_loss.deletes(partition, below);
            self.stats.deletions += 1;
            let message = Message::DeleteRecords { partition, below };
            self.send(Node::Producer(0), Node::Broker(leader), message);
        }
    }

    pub(super) fn consumer_answered(
        &mut self,
        index: usize,
        message: Message,
    ) -> Result<(), Violation> {
        let Message::Consumed { request, result } = message else {
            return Ok(());
        };
        let Some(asked) = self.consumers.get_mut(index).and_then(|c| c.take(request)) else {
            return Ok(());
        };
        let (
            Consume {
                partition, from, ..
            },
            place,
        ) = asked;
        let chunk = match result {
            Ok(chunk) => chunk,
            Err(Refusal::OutOfRange(start)) => {
                // Beyond the end: a deposed leader may not have what its heir served.
                if let Some(consumer) = self.consumers.get_mut(index).filter(|_| from < start) {
                    consumer.advance(place, start);
                }
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        let told = chunk.high_watermark;
        self.invariants
            .high_watermark
            .told(index, partition, chunk.epoch, told)?;
        let batches = parse(chunk.records).map_err(|e| {
            Violation::new(
                "consumers read what is committed",
                format!("from {from}: {e}"),
            )
        })?;
        let logs = &self.invariants.logs_match;
        self.invariants
            .committed_reads
            .read(partition, &batches, told, logs)?;
        self.stats.read += batches.iter().map(|b| b.keys.len() as u64).sum::<u64>();
        if let (Some(last), Some(consumer)) = (batches.last(), self.consumers.get_mut(index)) {
            consumer.advance(place, last.end);
        }
        Ok(())
    }
}
