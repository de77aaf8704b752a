//! What a process does with messages and with the quorum's answers.

use weir_core::cluster::{ClusterError, ClusterReply, ReportedEnd};
use weir_core::replica::{Event, IsrRefused};
use weir_types::{PartitionEpoch, PartitionId};

use super::Broken;
use super::out::{Effect, Out};
use super::process::{Asked, Pending, Process};
use super::shard::Ctx;
use crate::message::{Message, Node};

impl Process {
    /// After a second without an answer nobody knows whether the quorum took it.
    pub(super) fn give_up_waiting(
        &mut self,
        ctx: Ctx,
        now_us: u64,
        out: &mut Out,
    ) -> Result<(), Broken> {
        let late = |p: &Pending| now_us.saturating_sub(p.asked_us) > 1_000_000;
        let tags: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, p)| late(p))
            .map(|(t, _)| *t)
            .collect();
        for tag in tags {
            if let Some(Pending {
                what: Asked::Isr {
                    partition, base, ..
                },
                ..
            }) = self.pending.remove(&tag)
            {
                self.isr_refused(ctx, partition, base, IsrRefused::Unknown, out)?;
            }
        }
        Ok(())
    }

    /// To partitions that wait for it, once at a time.
    pub(super) fn tell_log_ends(&self, out: &mut Out) {
        if self.pending.values().any(|p| matches!(p.what, Asked::Ends)) {
            return;
        }
        let asked = self.image.awaited_ends.iter();
        let asked = asked.filter(|(_, known)| !known.contains_key(&self.id));
        let answer = |(id, _): (&PartitionId, _)| {
            let shard = self.shards.get(id)?;
            Some(ReportedEnd {
                partition: *id,
                asked_in: self.image.partition(*id)?.leader_epoch,
                end: Some(shard.log_end()),
            })
        };
        let ends: Vec<_> = asked.filter_map(answer).collect();
        if !ends.is_empty() {
            out.0.push(Effect::ReportEnds(ends));
        }
    }

    fn isr_refused(
        &mut self,
        ctx: Ctx,
        partition: PartitionId,
        partition_epoch: PartitionEpoch,
        reason: IsrRefused,
        out: &mut Out,
    ) -> Result<(), Broken> {
        let refused = Event::IsrRefused {
            partition_epoch,
            reason,
        };
        match self.shards.get_mut(&partition) {
            Some(shard) => shard.step(ctx, refused, out),
            None => Ok(()),
        }
    }

    pub fn proposed(
        &mut self,
        ctx: Ctx,
        tag: u64,
        result: Result<ClusterReply, ClusterError>,
        out: &mut Out,
    ) -> Result<(), Broken> {
        let Some(pending) = self.pending.remove(&tag) else {
            return Ok(());
        };
        match (pending.what, result) {
            (Asked::Register, Ok(ClusterReply::Registered(epoch))) => self.registered(epoch)?,
            (Asked::Register | Asked::Ends, _) => {}
            // A new epoch came with it: only the whole metadata says what that means.
            (
                Asked::Isr {
                    partition, epoch, ..
                },
                Ok(ClusterReply::Partition(now)),
            ) if now.leader_epoch == epoch => {
                let (partition_epoch, isr) = (now.partition_epoch, now.isr);
                if let Some(shard) = self.shards.get_mut(&partition) {
                    shard.step(
                        ctx,
                        Event::IsrCommitted {
                            partition_epoch,
                            isr,
                        },
                        out,
                    )?;
                }
            }
            (
                Asked::Isr {
                    partition, base, ..
                },
                outcome,
            ) => {
                let reason = match outcome {
                    Err(ClusterError::IneligibleReplica(_)) => IsrRefused::Ineligible,
                    Err(_) | Ok(ClusterReply::Partition(_)) => IsrRefused::Stale,
                    Ok(_) => IsrRefused::Unknown,
                };
                self.isr_refused(ctx, partition, base, reason, out)?;
            }
        }
        Ok(())
    }

    pub fn deliver(
        &mut self,
        ctx: Ctx,
        from: Node,
        message: Message,
        out: &mut Out,
    ) -> Result<(), Broken> {
        match message {
            Message::Proposed { tag, result } => self.proposed(ctx, tag, *result, out),
            Message::Metadata(image) => self.follow(ctx, image, out),
            Message::Produce(asked) => match self.shards.get_mut(&asked.partition) {
                Some(shard) => shard.produce(ctx, from, &asked, out),
                None => Ok(()),
            },
            Message::Consume(asked) => match self.shards.get_mut(&asked.partition) {
                Some(shard) => shard.consume(from, asked, out),
                None => Ok(()),
            },
            Message::DeleteRecords { partition, below } => match self.shards.get_mut(&partition) {
                Some(shard) => shard.delete_records(below),
                None => Ok(()),
            },
            Message::Fetch(fetch) => match self.shards.get_mut(&fetch.partition) {
                Some(shard) => shard.fetch_asked(ctx, fetch, out),
                // The follower asks again.
                None => Ok(()),
            },
            Message::Fetched {
                partition,
                correlation,
                answer,
            } => match self.shards.get_mut(&partition) {
                Some(shard) => shard.fetch_answered(ctx, correlation, answer, out),
                None => Ok(()),
            },
            Message::Durable(report) => match self.shards.get_mut(&report.partition) {
                Some(shard) => shard.durable_reported(ctx, report, out),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
