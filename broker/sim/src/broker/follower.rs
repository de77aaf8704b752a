//! A shard as follower: it pulls, cuts where the logs part, and reports what is durable.

use bytes::Bytes;
use weir_core::cluster::LogEnd;
use weir_core::replica::Event;
use weir_storage::AppendError;
use weir_types::{LeaderEpoch, Offset};

use super::out::Out;
use super::shard::{Ctx, Shard};
use super::{Broken, is_full};
use crate::message::{DurableReport, Fetch, FetchAnswer, Message, Node};
use crate::options::Plant;

/// A fetch without an answer is asked again after this.
const SILENCE_MS_MAX: i64 = 600;

impl Shard {
    pub fn log_end(&self) -> LogEnd {
        LogEnd {
            leader_epoch: self.log.latest_epoch(),
            durable_end: self.log.durable_end(),
        }
    }

    pub(super) fn fetch(&mut self, ctx: Ctx, out: &mut Out) {
        let Some(following) = &mut self.following else {
            return;
        };
        following.asked = Some((ctx.correlation, ctx.now));
        let fetch = Fetch {
            correlation: ctx.correlation,
            partition: self.id,
            epoch: following.epoch,
            follower: ctx.me,
            broker_epoch: ctx.broker_epoch,
            offset: self.log.end(),
            last_epoch: self.log.latest_epoch(),
        };
        out.send(Node::Broker(following.leader), Message::Fetch(fetch));
    }

    pub(super) fn fetch_if_silent(&mut self, ctx: Ctx, out: &mut Out) {
        let silent = self.following.is_some_and(|f| {
            f.asked
                .is_none_or(|(_, since)| ctx.now.since(since) >= SILENCE_MS_MAX)
        });
        if silent {
            self.fetch(ctx, out);
        }
    }

    pub(super) fn report_durable(&self, ctx: Ctx, out: &mut Out) {
        let Some(following) = self.following.filter(|f| f.accepted) else {
            return;
        };
        let durable_end = match ctx.plant {
            Plant::AckBeforeSync => self.log.end(),
            _ => self.log.durable_end(),
        };
        let report = DurableReport {
            partition: self.id,
            epoch: following.epoch,
            follower: ctx.me,
            broker_epoch: ctx.broker_epoch,
            durable_end,
        };
        out.send(Node::Broker(following.leader), Message::Durable(report));
    }

    pub fn fetch_answered(
        &mut self,
        ctx: Ctx,
        correlation: u64,
        answer: FetchAnswer,
        out: &mut Out,
    ) -> Result<(), Broken> {
        let Some(following) = &mut self.following else {
            return Ok(());
        };
        if following
            .asked
            .is_none_or(|(asked, _)| asked != correlation)
        {
            return Ok(());
        }
        following.asked = None;
        match answer {
            FetchAnswer::Records {
                epoch,
                high_watermark,
                log_start,
                records,
            } => {
                following.accepted = true;
                if self.take_records(ctx, &records, out)? {
                    let told = Event::LeaderAnswered {
                        epoch,
                        high_watermark,
                        log_start,
                    };
                    self.step(ctx, told, out)?;
                    self.follow_start(log_start)?;
                    self.fetch(ctx, out);
                }
            }
            FetchAnswer::Diverging {
                leader_epoch,
                epoch,
                end,
            } => {
                let cut_to = self.parting_point(epoch, end);
                self.step(
                    ctx,
                    Event::Diverged {
                        leader_epoch,
                        cut_to,
                    },
                    out,
                )?;
                self.fetch(ctx, out);
            }
            FetchAnswer::BelowStart { start } => {
                self.log.reset(start)?;
                self.step(ctx, Event::Truncated { end: start }, out)?;
                self.fetch(ctx, out);
            }
            // The metadata here or there is behind: asked again with the next tick.
            FetchAnswer::Refused => {}
        }
        Ok(())
    }

    /// What the leader deleted goes here too, as far as it is known to be committed.
    fn follow_start(&mut self, start: Offset) -> Result<(), Broken> {
        let start = start.min(self.replica.high_watermark());
        if start > self.log.start() {
            self.log.advance_start(start)?;
        }
        Ok(())
    }

    /// Whether there was room for them.
    fn take_records(&mut self, ctx: Ctx, records: &Bytes, out: &mut Out) -> Result<bool, Broken> {
        if !records.is_empty() {
            match self.log.append_as_follower(records) {
                Ok(_) => self.appended(ctx, out)?,
                Err(e) if is_full(&e) => return Ok(false),
                Err(AppendError::OffsetGap { expected, found })
                    if found < expected && expected == self.log.start() =>
                {
                    // The leader's log starts within a batch, and it sends the whole of it.
                    self.log.reset(found)?;
                    self.step(ctx, Event::Truncated { end: found }, out)?;
                    self.log.append_as_follower(records)?;
                    self.appended(ctx, out)?;
                }
                Err(e) => return Err(Broken::from(e)),
            }
        }
        self.report_durable(ctx, out);
        Ok(true)
    }

    /// The largest offset below which both logs may be the same (KIP-279): our end of the
    /// leader's epoch or, if we do not have that one, of the one before it.
    fn parting_point(&self, epoch: LeaderEpoch, end: Offset) -> Offset {
        match self.log.epoch_end(epoch) {
            None => self.log.start(),
            Some((ours, our_end)) if ours == epoch => our_end.min(end),
            Some((_, our_end)) => our_end,
        }
    }
}
