//! Reads from a replica in the consumer's own rack (KIP-392).

use std::sync::Arc;
use tokio::sync::oneshot;
use weir_api::{Error, FetchRequest, FetchedPartition, ReadFrom};
use weir_core::cluster::Image;
use weir_types::PartitionId;

use super::commands::{Question, ShardCommand};
use super::fetch::{Pass, Target, refused};
use super::hub::Hub;
use super::metrics::add;
use super::serving::Serving;
use super::shared::Shared;

/// Where this broker leads, and an in-sync follower is nearer to the caller and holds what it
/// asks for, that one is named instead of giving records.
pub(super) async fn name(hub: &Hub, request: &FetchRequest, targets: &mut [Target<'_>]) {
    let ReadFrom::Any { rack, listener } = &request.read_from else {
        return;
    };
    if rack.is_empty() {
        return;
    }
    let image = hub.metadata.image();
    for target in targets {
        let (Ok(shared), offset) = (&target.found, target.part.offset) else {
            continue;
        };
        if !matches!(shared.serving(), Serving::Leader(_)) {
            continue;
        }
        let among = image.replicas_near(shared.id, rack, listener);
        if among.is_empty() {
            continue;
        }
        let (reply, answer) = oneshot::channel();
        let question = Question::Furthest {
            among,
            offset,
            reply,
        };
        hub.send(shared.id, ShardCommand::Ask(shared.id, question));
        // No answer means that the shard ended: the read itself will say so.
        target.preferred = answer.await.ok().and_then(Result::ok).flatten();
    }
}

/// Counts what is given, and sends readers of a follower that cannot keep them back to the leader.
pub(super) fn finish(
    hub: &Hub,
    targets: &[Target<'_>],
    pass: Pass,
    late: bool,
) -> Vec<FetchedPartition> {
    let metrics = &hub.metrics;
    add(&metrics.fetched_bytes, pass.bytes);
    let mut fetched = pass.fetched;
    let image = hub.metadata.image();
    for (one, target) in fetched.iter_mut().zip(targets) {
        add(
            &metrics.preferred_replicas,
            usize::from(one.preferred.is_some()),
        );
        let Ok(shared) = &target.found else { continue };
        if !matches!(shared.serving(), Serving::Follower(..)) {
            continue;
        }
        add(&metrics.fetched_as_follower_bytes, one.records.len());
        if late && one.error.is_none() && one.records.is_empty() {
            let ahead = target.part.offset > one.high_watermark;
            if ahead || !is_in_sync(hub, &image, shared) {
                *one = refused(hub, target.id, Error::OffsetNotAvailable);
            }
        }
    }
    fetched
}

/// A follower that has fallen behind would let its readers wait for as long as it is behind.
fn is_in_sync(hub: &Hub, image: &Arc<Image>, shared: &Shared) -> bool {
    let id: PartitionId = shared.id;
    image
        .partition(id)
        .is_some_and(|p| p.isr.contains(&hub.config.broker))
}

/// A follower's log may be emptied under a reader: only the leader knows what is out of range.
pub(super) fn not_here(error: Error) -> Error {
    match error {
        Error::OffsetOutOfRange => Error::OffsetNotAvailable,
        other => other,
    }
}
