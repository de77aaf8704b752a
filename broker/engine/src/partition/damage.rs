//! Damage that is found while a replica is served: it leaves the ISR and is copied anew.

use std::sync::Arc;
use std::time::Duration;
use tracing::{error, warn};
use weir_core::cluster::{ClusterCommand, ClusterError};
use weir_core::replica::{Event, Membership, Role};
use weir_types::{LeaderEpoch, Offset, PartitionId};

use super::around::Around;
use super::commands::ShardCommand;
use super::hub::Hub;
use super::metrics::add;
use super::serving::Serving;
use super::shard::{Entry, Shard};
use super::slot::Slot;
use super::upkeep::Chore;
use crate::quorum::ProposeError;

const RETRY: Duration = Duration::from_secs(1);

impl Shard {
    /// Has the segment verified while nobody changes it.
    pub(super) fn doubt(&mut self, id: PartitionId, base: Offset) {
        match self.slots.get_mut(&id) {
            Some(Entry::Away(later)) => later.push(ShardCommand::Doubt(id, base)),
            Some(Entry::Here(slot)) if slot.damage.is_none() => {
                if slot.upkeep_due.replace(Chore::Verify(base)).is_none() {
                    self.upkeep_queue.push_back(id);
                }
                self.next_upkeep();
            }
            _ => {}
        }
    }

    /// The doubt was right.
    pub(super) fn give_up(&mut self, id: PartitionId) {
        let Some(Entry::Here(slot)) = self.slots.get_mut(&id) else {
            return;
        };
        let damage = slot.damage.as_deref().unwrap_or_default();
        error!(partition = %id, damage, "the replica is damaged: it leaves service and is copied anew");
        add(&self.around.hub.metrics.damaged_replicas, 1);
        // Who does not fetch does not join the ISR.
        slot.stop_following(&self.around);
        if let Role::Follower { .. } = slot.replica.role() {
            // Nor do consumers read it.
            slot.shared.publish_serving(Serving::Nobody);
        }
        let known = slot.replica.membership();
        slot.damage_epoch = known.map_or(LeaderEpoch::NONE, |m| m.leader_epoch);
        let hub = Arc::clone(&self.around.hub);
        self.around.hub.runtime.spawn(propose(hub, id));
    }

    /// There is nobody to copy from: what is sound goes on being served.
    pub(super) fn keep_damaged(&mut self, id: PartitionId) {
        match self.slots.get_mut(&id) {
            Some(Entry::Away(later)) => later.push(ShardCommand::Kept(id)),
            Some(Entry::Here(slot)) => {
                let damage = slot.damage.take().unwrap_or_default();
                error!(partition = %id, damage, "no other replica is in sync: the damaged one is kept");
                if let Role::Follower { leader, epoch } = slot.replica.role() {
                    slot.shared
                        .publish_serving(Serving::Follower(leader, epoch));
                    slot.fetch_from(&self.around, leader, epoch);
                }
            }
            None => {}
        }
    }
}

impl Slot {
    /// Empties a damaged log and fetches it again, once nobody counts on what it held: it is
    /// neither in sync nor eligible, and the leader has heard nothing of it in this epoch.
    pub(super) fn copy_anew(&mut self, around: &mut Around) {
        let Role::Follower { leader, epoch } = self.replica.role() else {
            return;
        };
        if self.damage.is_none() || epoch <= self.damage_epoch {
            return;
        }
        let counts = |m: &Membership| m.isr.contains(&self.me) || m.elr.contains(&self.me);
        if self.replica.membership().is_none_or(counts) {
            return;
        }
        if let Err(e) = self.log.reset(Offset(0)) {
            return around.storage_failed(self.id, "empty the damaged log", &e);
        }
        self.damage = None;
        self.step(around, Event::Truncated { end: Offset(0) });
        // Readers see that nothing is held before they are let in.
        self.publish();
        self.shared
            .publish_serving(Serving::Follower(leader, epoch));
        self.fetch_from(around, leader, epoch);
        self.touch(around);
    }
}

/// Tells the quorum until it has decided; the metadata say the rest.
async fn propose(hub: Arc<Hub>, id: PartitionId) {
    let mut stopping = hub.stopping.subscribe();
    loop {
        if let Some(epoch) = hub.metadata.broker_epoch() {
            let command = ClusterCommand::GiveUpReplica {
                broker: hub.config.broker,
                epoch,
                partition: id,
            };
            match hub.metadata.propose(command).await {
                Ok(_) => return,
                Err(ProposeError::Refused(ClusterError::LastInSync(_))) => {
                    return hub.send(id, ShardCommand::Kept(id));
                }
                Err(ProposeError::Refused(ClusterError::UnknownPartition(_))) => return,
                Err(error) => warn!(partition = %id, %error, "cannot give the replica up yet"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            // An error means that everybody is gone, which is a stop as well.
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}
