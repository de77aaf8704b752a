//! Writes, from the caller's side.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;
use weir_api::{Acks, Appended, Error, ProduceRequest, Produced, Result};
use weir_core::cluster::Image;
use weir_storage::batch::only_batch;
use weir_types::{LeaderEpoch, PartitionId};

use super::commands::{Append, ShardCommand};
use super::errors::of_append;
use super::hub::Hub;
use super::serving::Serving;
use super::ticket::{Ticket, tickets};

/// What the byte budget is counted in; the least that a write costs.
pub(super) const UNIT_BYTES: usize = 1024;

/// See [`weir_api::Engine::submit`].
pub(super) async fn submit(hub: &Arc<Hub>, request: ProduceRequest) -> Produced {
    let ProduceRequest {
        acks,
        timeout,
        transactional_id,
        partitions,
    } = request;
    if hub.is_stopping() {
        return all_fail(partitions.len(), &Error::ShuttingDown);
    }
    if transactional_id.is_some() {
        let error = Error::Unsupported("transactions".to_owned());
        return all_fail(partitions.len(), &error);
    }
    let total = partitions.iter().map(|p| units(p.records.len())).sum();
    let mut budget = acquire(hub, total).await;
    let image = hub.metadata.image();
    // Without acks too: who learns of a refusal can find the leader anew.
    let (tickets, produced) = tickets(partitions.len());
    let deadline = hub.clock.after(timeout);
    for (part, ticket) in partitions.into_iter().zip(tickets) {
        let found = hub
            .resolve(&image, &part.topic, part.index)
            .and_then(|id| check_led(hub, &image, id))
            .and_then(|id| Ok((id, only_batch(&part.records).map_err(of_append)?)));
        match found {
            Err(error) => ticket.fail(error),
            Ok((partition, records)) => {
                let permit = budget.as_mut().and_then(|b| {
                    let share = units(records.len()).min(b.num_permits());
                    b.split(share)
                });
                let append = Append {
                    partition,
                    records,
                    acks,
                    only_in: None,
                    deadline,
                    ticket,
                    permit,
                };
                hub.send(partition, ShardCommand::Append(append));
            }
        }
    }
    produced
}

/// A write of the broker itself, with acks=all.
pub(super) async fn append(
    hub: &Arc<Hub>,
    partition: PartitionId,
    only_in: Option<LeaderEpoch>,
    records: Bytes,
) -> Result<Appended> {
    if hub.is_stopping() {
        return Err(Error::ShuttingDown);
    }
    let permit = acquire(hub, units(records.len())).await;
    check_led(hub, &hub.metadata.image(), partition)?;
    let (mut tickets, produced) = tickets(1);
    let ticket = tickets.pop().unwrap_or_else(Ticket::none);
    let deadline = hub.clock.after(hub.config.internal_timeout);
    let append = Append {
        partition,
        records,
        acks: Acks::All,
        only_in,
        deadline,
        ticket,
        permit,
    };
    hub.send(partition, ShardCommand::Append(append));
    let unanswered = || Err(Error::Internal("unanswered write".to_owned()));
    produced.await.pop().unwrap_or_else(unanswered)
}

/// Saves a lost write the way to its shard; the shard decides.
fn check_led(hub: &Hub, image: &Image, id: PartitionId) -> Result<PartitionId> {
    match hub.replica(image, id)?.serving() {
        Serving::Leader(_) => Ok(id),
        _ => Err(hub.not_led(image, id)),
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES).max(1)
}

/// A request larger than the whole budget takes all of it.
async fn acquire(hub: &Hub, units: usize) -> Option<OwnedSemaphorePermit> {
    let most = hub.config.budget_bytes.div_ceil(UNIT_BYTES).max(1);
    let units = u32::try_from(units.min(most)).unwrap_or(u32::MAX);
    // An error would mean that it was closed, which it never is.
    Arc::clone(&hub.budget).acquire_many_owned(units).await.ok()
}

fn all_fail(count: usize, error: &Error) -> Produced {
    Box::pin(std::future::ready(vec![Err(error.clone()); count]))
}

/// For the metrics.
pub(super) fn note_queued(hub: &Hub) {
    let most = hub.config.budget_bytes.div_ceil(UNIT_BYTES);
    let used = most.saturating_sub(hub.budget.available_permits()) * UNIT_BYTES;
    let used = i64::try_from(used).unwrap_or(i64::MAX);
    hub.metrics.queued_bytes.store(used, Ordering::Relaxed);
}
