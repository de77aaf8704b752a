//! A shard as leader: writes, followers' fetches, consumers' reads.

use bytes::Bytes;
use weir_core::cluster::LogEnd;
use weir_core::replica::{Event, Role};
use weir_types::{LeaderEpoch, Millis, Offset};

use super::out::{Out, Sight};
use super::shard::{Ctx, Parked, Shard, Wait};
use super::{Broken, refusal_of};
use crate::message::{
    Chunk, Consume, DurableReport, Fetch, FetchAnswer, Message, Node, Produce, Refusal,
};

const FETCH_BYTES_MAX: usize = 32 * 1024;
const CONSUME_BYTES_MAX: usize = 16 * 1024;
/// A fetch is answered empty after this.
const PARK_MS_MAX: i64 = 300;

impl Shard {
    pub fn produce(
        &mut self,
        ctx: Ctx,
        client: Node,
        asked: &Produce,
        out: &mut Out,
    ) -> Result<(), Broken> {
        let request = asked.request;
        match self.try_produce(ctx, client, asked, out) {
            Ok(()) => self.appended(ctx, out).and_then(|()| {
                self.answer_waits(out);
                self.answer_parked(out)
            }),
            Err(refusal) => {
                out.send(
                    client,
                    Message::Produced {
                        request,
                        result: Err(refusal),
                    },
                );
                Ok(())
            }
        }
    }

    fn try_produce(
        &mut self,
        ctx: Ctx,
        client: Node,
        asked: &Produce,
        out: &mut Out,
    ) -> Result<(), Refusal> {
        let Role::Leader { epoch } = self.replica.role() else {
            return Err(Refusal::NotLeader);
        };
        if asked.acks_all && !self.replica.has_min_isr() {
            return Err(Refusal::NotEnoughReplicas);
        }
        let appended = self
            .log
            .append_as_leader(&asked.records, epoch, ctx.wall)
            .map_err(|e| refusal_of(&e, epoch))?;
        if appended.duplicate {
            out.saw(Sight::Duplicate);
        }
        self.waits.push(Wait {
            client,
            request: asked.request,
            base: appended.base_offset,
            end: appended.last_offset.plus(1),
            acks_all: asked.acks_all,
        });
        Ok(())
    }

    pub(super) fn answer_waits(&mut self, out: &mut Out) {
        let replica = &self.replica;
        let Role::Leader { epoch } = replica.role() else {
            return;
        };
        self.waits.retain(|wait| {
            let satisfied = replica.wait_satisfied(wait.end, wait.acks_all);
            if satisfied {
                if !wait.acks_all {
                    out.saw(Sight::LeaderAcked {
                        partition: self.id,
                        at: LogEnd {
                            leader_epoch: epoch,
                            durable_end: wait.end,
                        },
                    });
                }
                let result = Ok((epoch, wait.base));
                out.send(
                    wait.client,
                    Message::Produced {
                        request: wait.request,
                        result,
                    },
                );
            }
            !satisfied
        });
    }

    pub fn fetch_asked(&mut self, ctx: Ctx, fetch: Fetch, out: &mut Out) -> Result<(), Broken> {
        if !self.leads(fetch.epoch) || !self.replica.has_replica(fetch.follower) {
            self.refuse_fetch(fetch, out);
            return Ok(());
        }
        if let Some(answer) = self.parting(fetch) {
            self.answer_fetch(fetch, answer, out);
            return Ok(());
        }
        let heard = Event::FollowerFetched {
            follower: fetch.follower,
            epoch: fetch.broker_epoch,
            fetch_offset: fetch.offset,
        };
        self.step(ctx, heard, out)?;
        self.parked.retain(|p| p.fetch.follower != fetch.follower);
        self.parked.push(Parked {
            fetch,
            since: ctx.now,
        });
        self.answer_parked(out)
    }

    /// Where the follower's log is not a beginning of ours (KIP-595), what to tell it.
    fn parting(&self, fetch: Fetch) -> Option<FetchAnswer> {
        let leader_epoch = fetch.epoch;
        let start = self.log.start();
        if fetch.offset < start {
            return Some(FetchAnswer::BelowStart { start });
        }
        if fetch.last_epoch == LeaderEpoch::NONE {
            let beyond = fetch.offset > self.log.end();
            return beyond.then_some(FetchAnswer::BelowStart { start });
        }
        let Some((epoch, end)) = self.log.epoch_end(fetch.last_epoch) else {
            let epoch = LeaderEpoch::NONE;
            return Some(FetchAnswer::Diverging {
                leader_epoch,
                epoch,
                end: start,
            });
        };
        let parts = epoch < fetch.last_epoch || end < fetch.offset;
        parts.then_some(FetchAnswer::Diverging {
            leader_epoch,
            epoch,
            end,
        })
    }

    pub fn durable_reported(
        &mut self,
        ctx: Ctx,
        report: DurableReport,
        out: &mut Out,
    ) -> Result<(), Broken> {
        if !self.leads(report.epoch) {
            return Ok(());
        }
        let heard = Event::FollowerDurable {
            follower: report.follower,
            epoch: report.broker_epoch,
            durable_end: report.durable_end,
        };
        self.step(ctx, heard, out)
    }

    /// Sends records to the followers that wait for some.
    pub(super) fn answer_parked(&mut self, out: &mut Out) -> Result<(), Broken> {
        self.answer_parked_if(out, |end, parked| parked.fetch.offset < end)
    }

    pub(super) fn answer_long_parked(&mut self, ctx: Ctx, out: &mut Out) -> Result<(), Broken> {
        let late = |since: Millis| ctx.now.since(since) >= PARK_MS_MAX;
        self.answer_parked_if(out, |_, parked| late(parked.since))
    }

    fn answer_parked_if(
        &mut self,
        out: &mut Out,
        ripe: impl Fn(Offset, &Parked) -> bool,
    ) -> Result<(), Broken> {
        let end = self.log.end();
        let (ripe, rest) = std::mem::take(&mut self.parked)
            .into_iter()
            .partition::<Vec<_>, _>(|p| ripe(end, p));
        self.parked = rest;
        for Parked { fetch, .. } in ripe {
            let records = self.read(fetch.offset, end, FETCH_BYTES_MAX)?;
            let answer = FetchAnswer::Records {
                epoch: fetch.epoch,
                high_watermark: self.replica.high_watermark(),
                log_start: self.log.start(),
                records,
            };
            self.answer_fetch(fetch, answer, out);
        }
        Ok(())
    }

    pub(super) fn refuse_fetch(&self, fetch: Fetch, out: &mut Out) {
        self.answer_fetch(fetch, FetchAnswer::Refused, out);
    }

    fn answer_fetch(&self, fetch: Fetch, answer: FetchAnswer, out: &mut Out) {
        let (partition, correlation) = (self.id, fetch.correlation);
        let message = Message::Fetched {
            partition,
            correlation,
            answer,
        };
        out.send(Node::Broker(fetch.follower), message);
    }

    pub fn consume(&self, client: Node, asked: Consume, out: &mut Out) -> Result<(), Broken> {
        let result = self.try_consume(asked.from)?;
        out.send(
            client,
            Message::Consumed {
                request: asked.request,
                result,
            },
        );
        Ok(())
    }

    fn try_consume(&self, from: Offset) -> Result<Result<Chunk, Refusal>, Broken> {
        let Role::Leader { epoch } = self.replica.role() else {
            return Ok(Err(Refusal::NotLeader));
        };
        if !self.replica.hw_is_served() {
            return Ok(Err(Refusal::NotServed));
        }
        let high_watermark = self.replica.high_watermark();
        if from < self.log.start() || from > high_watermark {
            return Ok(Err(Refusal::OutOfRange(self.log.start())));
        }
        let records = self.read(from, high_watermark, CONSUME_BYTES_MAX)?;
        Ok(Ok(Chunk {
            epoch,
            high_watermark,
            records,
        }))
    }

    /// Nobody waits for an answer: a client cannot rely on it before all replicas did it.
    pub fn delete_records(&mut self, below: Offset) -> Result<(), Broken> {
        let leads = matches!(self.replica.role(), Role::Leader { .. });
        if leads && below <= self.replica.high_watermark() {
            self.log.advance_start(below)?;
        }
        Ok(())
    }

    /// Whole batches of `[from, below)`.
    pub fn read(&self, from: Offset, below: Offset, max_bytes: usize) -> Result<Bytes, Broken> {
        if from >= below {
            return Ok(Bytes::new());
        }
        Ok(self.log.reader().read_bytes(from, below, max_bytes, true)?)
    }
}
