//! Questions about offsets, and reads of the broker itself.

use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use weir_api::{EpochEnd, Error, FoundOffset, OffsetSpec, Result, TopicRef};
use weir_core::replica::Role;
use weir_types::{LeaderEpoch, Offset, PartitionId};

use super::around::Around;
use super::commands::{Question, ShardCommand};
use super::errors;
use super::hub::{Hub, check_epoch};
use super::serving::Serving;
use super::shared::Shared;
use super::slot::Slot;

const NOTHING: FoundOffset = FoundOffset {
    offset: Offset(-1),
    timestamp_ms: -1,
    leader_epoch: LeaderEpoch::NONE,
};

/// The replica, if it leads, and its epoch.
fn leader(hub: &Hub, id: PartitionId) -> Result<(Arc<Shared>, LeaderEpoch)> {
    let image = hub.metadata.image();
    let shared = hub.replica(&image, id)?;
    match shared.serving() {
        Serving::Leader(epoch) => Ok((shared, epoch)),
        _ => Err(hub.not_led(&image, id)),
    }
}

/// See [`weir_api::Engine::find_offset`]. There are no transactions yet: both isolations see the
/// high watermark.
pub(super) async fn find_offset(
    hub: &Arc<Hub>,
    topic: &TopicRef,
    index: i32,
    asked: LeaderEpoch,
    spec: OffsetSpec,
) -> Result<FoundOffset> {
    let id = hub.resolve(&hub.metadata.image(), topic, index)?;
    let (shared, epoch) = leader(hub, id)?;
    check_epoch(asked, epoch)?;
    let found = |offset| FoundOffset {
        offset,
        timestamp_ms: -1,
        leader_epoch: epoch,
    };
    let served = shared.high_watermark_served();
    match spec {
        OffsetSpec::Earliest | OffsetSpec::EarliestLocal => Ok(found(shared.start())),
        OffsetSpec::LatestTiered => Ok(NOTHING),
        OffsetSpec::Latest if served => Ok(found(shared.high_watermark())),
        OffsetSpec::Latest => Err(Error::OffsetNotAvailable),
        OffsetSpec::MaxTimestamp | OffsetSpec::Timestamp(_) => {
            let search = search(hub, shared, spec).await?;
            // What an earlier leader served may lie above what this one knows of (KIP-207).
            if search.is_none() && !served {
                return Err(Error::OffsetNotAvailable);
            }
            Ok(search.unwrap_or(NOTHING))
        }
    }
}

/// Reads segments: off the async workers.
async fn search(hub: &Hub, shared: Arc<Shared>, spec: OffsetSpec) -> Result<Option<FoundOffset>> {
    let task = hub.runtime.spawn_blocking(move || {
        let below = shared.high_watermark();
        match spec {
            OffsetSpec::Timestamp(at) => shared.reader.find_timestamp(at, below),
            _ => shared.reader.max_timestamp(below),
        }
    });
    let found = task.await.map_err(|e| Error::Internal(e.to_string()))?;
    let found = found.map_err(|e| Error::Storage(e.to_string()))?;
    Ok(
        found.map(|(offset, timestamp_ms, leader_epoch)| FoundOffset {
            offset,
            timestamp_ms,
            leader_epoch,
        }),
    )
}

/// See [`weir_api::Engine::epoch_end`].
pub(super) async fn epoch_end(
    hub: &Arc<Hub>,
    topic: &TopicRef,
    index: i32,
    current: LeaderEpoch,
    epoch: LeaderEpoch,
) -> Result<EpochEnd> {
    let id = hub.resolve(&hub.metadata.image(), topic, index)?;
    let end = ask(hub, id, |reply| Question::EpochEnd {
        current,
        epoch,
        reply,
    })
    .await?;
    let unknown = EpochEnd {
        leader_epoch: LeaderEpoch::NONE,
        end_offset: Offset(-1),
    };
    Ok(end.map_or(unknown, |(leader_epoch, end_offset)| EpochEnd {
        leader_epoch,
        end_offset,
    }))
}

/// See [`weir_api::Engine::delete_records`].
pub(super) async fn delete_records(
    hub: &Arc<Hub>,
    topic: &TopicRef,
    index: i32,
    before: Offset,
    timeout: Duration,
) -> Result<Offset> {
    let id = hub.resolve(&hub.metadata.image(), topic, index)?;
    let deadline = hub.clock.after(timeout);
    ask(hub, id, |reply| Question::DeleteRecords {
        before,
        deadline,
        reply,
    })
    .await
}

async fn ask<T>(
    hub: &Hub,
    id: PartitionId,
    question: impl FnOnce(oneshot::Sender<Result<T>>) -> Question,
) -> Result<T> {
    leader(hub, id)?;
    let (reply, answer) = oneshot::channel();
    hub.send(id, ShardCommand::Ask(id, question(reply)));
    // The shard ended.
    answer.await.unwrap_or(Err(Error::ShuttingDown))
}

/// Record batches from `from` up to the high watermark; leader only.
pub(super) async fn read(
    hub: &Arc<Hub>,
    id: PartitionId,
    from: Offset,
    max_bytes: usize,
) -> Result<(Bytes, Offset)> {
    let (shared, _) = leader(hub, id)?;
    let task = hub.runtime.spawn_blocking(move || {
        let below = shared.high_watermark();
        if from == below {
            return Ok((Bytes::new(), below));
        }
        let bytes = shared.reader.read_bytes(from, below, max_bytes, true);
        bytes
            .map(|bytes| (bytes, below))
            .map_err(|e| errors::of_read(&e))
    });
    task.await.map_err(|e| Error::Internal(e.to_string()))?
}

/// Log start and high watermark, once the latter may be told (rule 4); leader only.
pub(super) fn bounds(hub: &Hub, id: PartitionId) -> Option<(Offset, Offset)> {
    let shared = hub.table.get(id)?;
    let leads = matches!(shared.serving(), Serving::Leader(_));
    let known = leads && shared.high_watermark_served();
    known.then(|| (shared.start(), shared.high_watermark()))
}

impl Slot {
    pub(super) fn ask(&mut self, around: &mut Around, question: Question) {
        match question {
            Question::DeleteRecords {
                before,
                deadline,
                reply,
            } => {
                self.delete_records(around, before, deadline, reply);
            }
            Question::Furthest {
                mut among,
                offset,
                reply,
            } => {
                // Whose log begins later cannot serve it.
                let starts = &self.follower_starts;
                among.retain(|id| starts.iter().any(|(f, start)| f == id && *start <= offset));
                // Whoever asked may be gone.
                let _ = reply.send(Ok(self.replica.furthest(&among, offset)));
            }
            Question::LogEnd { epoch, reply } => self.tell_log_end(epoch, reply),
            Question::EpochEnd {
                current,
                epoch,
                reply,
            } => {
                let answer = match self.replica.role() {
                    Role::Leader { epoch: mine } => {
                        check_epoch(current, mine).map(|()| self.log.epoch_end(epoch))
                    }
                    _ => Err(around.hub.why_not_led(self.id)),
                };
                // Whoever asked may be gone.
                let _ = reply.send(answer);
            }
        }
    }
}
