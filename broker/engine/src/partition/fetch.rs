//! Reads by consumers: on the caller's task, beside the writer.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};
use weir_api::{
    Error, FetchPartition, FetchRequest, FetchedPartition, ReadFrom, RecordSlice, Result,
};
use weir_core::cluster::Image;
use weir_storage::DiskFile;
use weir_types::{BrokerId, LeaderEpoch, Offset, PartitionId};

use super::commands::{Question, ShardCommand};
use super::hub::{Hub, check_epoch};
use super::serving::Serving;
use super::shared::Shared;
use super::{errors, hub, near};

/// Longest that a fetch is held, whatever the client asks for.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// See [`weir_api::Engine::fetch`]. Cancel-safe: nothing is changed by it.
pub(super) async fn fetch(hub: &Arc<Hub>, request: FetchRequest) -> Vec<FetchedPartition> {
    let deadline = Instant::now() + request.max_wait.min(WAIT_MAX);
    let mut targets = find_targets(hub, &request);
    compare_epochs(hub, &mut targets).await;
    near::name(hub, &request, &mut targets).await;
    let mut waiting: Option<Waiting> = None;
    loop {
        let pass = read_all(hub, &request, &targets);
        let late = Instant::now() >= deadline;
        if late || pass.is_urgent || pass.bytes >= request.min_bytes {
            return near::finish(hub, &targets, pass, late);
        }
        match &waiting {
            // From now on nothing is missed: look once more before the wait.
            None => waiting = Some(Waiting::enter(&targets)),
            // Time up is seen at the top.
            Some(waiting) => drop(timeout_at(deadline, waiting.notify.notified()).await),
        }
    }
}

pub(super) struct Target<'a> {
    pub(super) part: &'a FetchPartition,
    pub(super) found: Result<Arc<Shared>>,
    pub(super) id: Option<PartitionId>,
    diverging: Option<(LeaderEpoch, Offset)>,
    /// Who is to be asked instead.
    pub(super) preferred: Option<BrokerId>,
}

/// Waits at every partition of the fetch, and leaves when dropped.
struct Waiting {
    notify: Arc<Notify>,
    at: Vec<Arc<Shared>>,
}

impl Waiting {
    fn enter(targets: &[Target<'_>]) -> Self {
        let notify = Arc::new(Notify::new());
        let at: Vec<_> = targets
            .iter()
            .filter_map(|t| t.found.as_ref().ok().cloned())
            .collect();
        at.iter().for_each(|shared| shared.add_waiter(&notify));
        Self { notify, at }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.at
            .iter()
            .for_each(|shared| shared.remove_waiter(&self.notify));
    }
}

fn find_targets<'a>(hub: &Hub, request: &'a FetchRequest) -> Vec<Target<'a>> {
    let image = hub.metadata.image();
    let find = |part: &'a FetchPartition| {
        let id = hub.resolve(&image, &part.topic, part.index);
        let found = id.clone().and_then(|id| hub.replica(&image, id));
        Target {
            part,
            found,
            id: id.ok(),
            diverging: None,
            preferred: None,
        }
    };
    request.partitions.iter().map(find).collect()
}

/// Where a caller says what it read last, its history is compared with the log's (KIP-595).
async fn compare_epochs(hub: &Hub, targets: &mut [Target<'_>]) {
    for target in targets {
        let (Ok(shared), last) = (&target.found, target.part.last_fetched_epoch) else {
            continue;
        };
        if last == LeaderEpoch::NONE {
            continue;
        }
        let (reply, answer) = oneshot::channel();
        let current = target.part.leader_epoch;
        let question = Question::EpochEnd {
            current,
            epoch: last,
            reply,
        };
        hub.send(shared.id, ShardCommand::Ask(shared.id, question));
        match answer.await {
            Ok(Ok(Some((epoch, end)))) if epoch < last || end < target.part.offset => {
                target.diverging = Some((epoch, end));
            }
            Ok(Err(error)) => target.found = Err(error),
            _ => {}
        }
    }
}

pub(super) struct Pass {
    pub(super) fetched: Vec<FetchedPartition>,
    pub(super) bytes: usize,
    /// Something that the caller has to know at once.
    is_urgent: bool,
}

fn read_all(hub: &Hub, request: &FetchRequest, targets: &[Target<'_>]) -> Pass {
    let mut fetched = Vec::with_capacity(targets.len());
    let (mut bytes, mut is_urgent) = (0, false);
    for target in targets {
        let left = request.max_bytes.saturating_sub(bytes);
        let one = match read_one(target, &request.read_from, left, bytes == 0) {
            Ok(one) => one,
            Err(error) => refused(hub, target.id, error),
        };
        bytes += one.records.len();
        is_urgent |= one.error.is_some() || one.diverging.is_some() || one.preferred.is_some();
        fetched.push(one);
    }
    Pass {
        fetched,
        bytes,
        is_urgent,
    }
}

fn read_one(
    target: &Target<'_>,
    read_from: &ReadFrom,
    left: usize,
    is_first: bool,
) -> Result<FetchedPartition> {
    let part = target.part;
    let shared = target.found.as_ref().map_err(Clone::clone)?;
    let (epoch, leads) = match shared.serving() {
        Serving::Leader(epoch) => (epoch, true),
        Serving::Follower(_, epoch) if *read_from != ReadFrom::Leader => (epoch, false),
        _ => {
            return Err(Error::NotLeader {
                leader: None,
                epoch: LeaderEpoch::NONE,
            });
        }
    };
    check_epoch(part.leader_epoch, epoch)?;
    let high_watermark = shared.high_watermark();
    let (start, end) = (shared.start(), shared.end());
    let mut fetched = FetchedPartition {
        error: None,
        high_watermark,
        last_stable_offset: high_watermark,
        log_start: start,
        diverging: target.diverging,
        leader: None,
        preferred: target.preferred.filter(|_| leads),
        records: RecordSlice::EMPTY,
    };
    if target.diverging.is_some() {
        fetched.preferred = None;
        return Ok(fetched);
    }
    // A follower may be behind what its reader was told elsewhere: that is waited for.
    if part.offset < start || leads && part.offset > end {
        // A leader that has not reached its epoch's start may know less than its callers.
        let late = part.offset > end && !shared.high_watermark_served();
        return Err(if late {
            Error::OffsetNotAvailable
        } else {
            Error::OffsetOutOfRange
        });
    }
    if fetched.preferred.is_some() {
        return Ok(fetched);
    }
    let max_bytes = part.max_bytes.min(left);
    if part.offset < high_watermark && (max_bytes > 0 || is_first) {
        fetched.records = slice(shared, part.offset, high_watermark, max_bytes, is_first)
            .map_err(|e| if leads { e } else { near::not_here(e) })?;
    }
    Ok(fetched)
}

fn slice(
    shared: &Shared,
    from: Offset,
    below: Offset,
    max_bytes: usize,
    at_least_one: bool,
) -> Result<RecordSlice> {
    let found = shared.reader.read(from, below, max_bytes, at_least_one);
    let found = found.map_err(|e| errors::of_read(&e))?;
    if found.len == 0 {
        return Ok(RecordSlice::EMPTY);
    }
    match found.file.std() {
        Some(file) => Ok(RecordSlice::File {
            file,
            position: found.position,
            len: found.len,
            cold: found.cold,
        }),
        None => {
            let bytes = shared
                .reader
                .read_bytes(from, below, max_bytes, at_least_one);
            Ok(RecordSlice::Memory(bytes.map_err(|e| errors::of_read(&e))?))
        }
    }
}

/// An answer that only says what is wrong, and who leads if that is what is wrong.
pub(super) fn refused(hub: &hub::Hub, id: Option<PartitionId>, error: Error) -> FetchedPartition {
    let image = hub.metadata.image();
    let error = match (error, id) {
        (Error::NotLeader { leader: None, .. }, Some(id)) => hub.not_led(&image, id),
        (error, _) => error,
    };
    let hint = matches!(
        error,
        Error::NotLeader { .. } | Error::FencedLeaderEpoch | Error::UnknownLeaderEpoch
    );
    FetchedPartition {
        leader: id.filter(|_| hint).and_then(|id| leader(&image, id)),
        error: Some(error),
        high_watermark: Offset(-1),
        last_stable_offset: Offset(-1),
        log_start: Offset(-1),
        diverging: None,
        preferred: None,
        records: RecordSlice::EMPTY,
    }
}

fn leader(image: &Image, id: PartitionId) -> Option<(BrokerId, LeaderEpoch)> {
    let partition = image.partition(id)?;
    Some((partition.leader?, partition.leader_epoch))
}
