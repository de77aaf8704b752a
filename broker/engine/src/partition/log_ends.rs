//! Answers the question of partitions without a leader: how does your log end?

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info};
use weir_core::cluster::{ClusterCommand, Image, LOG_ENDS_MAX, LogEnd, LogEnds, ReportedEnd};
use weir_types::{LeaderEpoch, PartitionId};

use super::commands::{Question, ShardCommand};
use super::hub::Hub;
use super::slot::Slot;

/// For all that are asked at once; a replica that is away for upkeep answers later.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// Before what a shard or the quorum did not take is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Runs until the broker stops. `ineligible` are the replicas that may have holes.
pub(super) async fn tell(hub: Arc<Hub>, ineligible: Vec<PartitionId>) {
    let ineligible: HashSet<_> = ineligible.into_iter().collect();
    let mut images = hub.metadata.subscribe();
    let mut stopping = hub.stopping.subscribe();
    loop {
        let image = Arc::clone(&images.borrow_and_update());
        let all_told = tell_once(&hub, &image, &ineligible).await;
        tokio::select! {
            changed = images.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY), if !all_told => {}
            // An error means that everybody is gone, which is a stop as well.
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// Whether nobody waits for an answer of this broker any more.
async fn tell_once(hub: &Hub, image: &Image, ineligible: &HashSet<PartitionId>) -> bool {
    let me = hub.config.broker;
    let registered = image.brokers.get(&me).map(|b| b.epoch);
    let Some(epoch) = registered.filter(|e| hub.metadata.broker_epoch() == Some(*e)) else {
        // The first image with this process's own registration is yet to come.
        return true;
    };
    let unanswered = image
        .awaited_ends
        .iter()
        .filter(|(_, known)| !known.contains_key(&me));
    let asked: Vec<_> = unanswered
        .filter_map(|(id, _)| Some((*id, image.partition(*id)?)))
        .filter(|(_, partition)| partition.replicas.contains(&me))
        .collect();
    let mut all_told = true;
    for part in asked.chunks(LOG_ENDS_MAX) {
        let questions: Vec<_> = part
            .iter()
            .map(|(id, partition)| {
                let stands = partition.elr.contains(&me) || !ineligible.contains(id);
                (
                    *id,
                    partition.leader_epoch,
                    ask(hub, *id, partition.leader_epoch, stands),
                )
            })
            .collect();
        let mut ends = Vec::with_capacity(questions.len());
        let deadline = Instant::now() + ANSWER_WAIT;
        for (partition, asked_in, answer) in questions {
            match timeout_at(deadline, answer).await {
                Ok(Ok(end)) => ends.push(ReportedEnd {
                    partition,
                    asked_in,
                    end,
                }),
                // The shard knows older metadata, or has no replica to speak of yet.
                Ok(Err(_)) | Err(_) => all_told = false,
            }
        }
        if ends.is_empty() {
            continue;
        }
        info!(
            partitions = ends.len(),
            "told how logs of partitions without a leader end"
        );
        let command = ClusterCommand::ReportLogEnds(LogEnds {
            broker: me,
            epoch,
            ends,
        });
        if let Err(error) = hub.metadata.propose(command).await {
            debug!(%error, "nobody was told how the logs end");
            all_told = false;
        }
    }
    all_told
}

/// The answer is an error if the shard cannot give one now.
fn ask(
    hub: &Hub,
    id: PartitionId,
    epoch: LeaderEpoch,
    stands: bool,
) -> oneshot::Receiver<Option<LogEnd>> {
    let (reply, answer) = oneshot::channel();
    if !stands || hub.table.why_broken(id).is_some() {
        // Received below.
        let _ = reply.send(None);
    } else {
        hub.send(id, ShardCommand::Ask(id, Question::LogEnd { epoch, reply }));
    }
    answer
}

impl Slot {
    /// Nobody appends to a replica that knows of no leader in this epoch, nor cuts it: the answer
    /// stays true until somebody leads.
    pub(super) fn tell_log_end(&self, epoch: LeaderEpoch, reply: oneshot::Sender<Option<LogEnd>>) {
        let known = self.replica.membership();
        if known.is_some_and(|m| m.leader.is_none() && m.leader_epoch == epoch) {
            let end = LogEnd {
                leader_epoch: self.log.latest_epoch(),
                durable_end: self.counted_end(),
            };
            // Whoever asked may be gone. What is damaged does not stand.
            let _ = reply.send(self.damage.is_none().then_some(end));
        }
    }
}
