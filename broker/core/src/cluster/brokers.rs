//! Registration and fencing (KIP-631, KIP-841).

use std::sync::Arc;
use weir_types::{BrokerEpoch, BrokerId, PartitionId};

use super::apply::Outcome;
use super::elections::{self, Departure};
use super::{
    Broker, ClusterError, ClusterReply, Image, Listener, Registration, log_ends, reassign,
};

/// A broker comes up fenced, under a new epoch; whatever an earlier process of it led or was in
/// sync for is given up first, so that every partition it led gets a new leader epoch.
pub(super) fn register(image: &mut Image, r: &Registration) -> Outcome {
    if let Some(old) = image.brokers.get(&r.broker) {
        if old.incarnation == r.incarnation && old.folder == r.folder {
            return Ok(ClusterReply::Registered(old.epoch));
        }
        if old.folder != r.folder && !old.fenced {
            return Err(ClusterError::DuplicateBroker { broker: r.broker });
        }
        let new_folder = old.folder != r.folder;
        // Fenced first, or it would be elected as the heir of itself.
        image.update_broker(r.broker, |b| b.fenced = true);
        log_ends::forget(image, r.broker);
        if r.clean {
            image.unclean.remove(&r.broker);
        } else {
            image.unclean.insert(r.broker);
        }
        elections::depart(image, r.broker, Departure::Fenced);
        if new_folder {
            elections::disqualify(image, r.broker, |_| true);
        }
    }
    if !r.ineligible.is_empty() {
        elections::disqualify(image, r.broker, |partition| {
            r.ineligible.contains(&partition)
        });
    }
    image.next_broker_epoch += 1;
    let epoch = BrokerEpoch(image.next_broker_epoch);
    let broker = Broker {
        id: r.broker,
        epoch,
        folder: r.folder,
        incarnation: r.incarnation,
        rack: r.rack.clone(),
        peer_address: r.peer_address.clone(),
        listeners: merge_listeners(image, r),
        fenced: true,
        stopping: false,
    };
    image.brokers.insert(r.broker, Arc::new(broker));
    Ok(ClusterReply::Registered(epoch))
}

/// A listener whose address the broker does not know keeps the one it was told earlier.
fn merge_listeners(image: &Image, r: &Registration) -> Vec<Listener> {
    let old = image.brokers.get(&r.broker);
    let told = |name: &str| {
        let found = old?.listeners.iter().find(|l| l.name == name)?;
        (!found.host.is_empty()).then(|| found.clone())
    };
    r.listeners
        .iter()
        .map(|l| {
            if l.host.is_empty() {
                told(&l.name).unwrap_or_else(|| l.clone())
            } else {
                l.clone()
            }
        })
        .collect()
}

pub(super) fn unfence(image: &mut Image, broker: BrokerId, epoch: BrokerEpoch) -> Outcome {
    if image.registered(broker, epoch)?.fenced {
        image.update_broker(broker, |b| b.fenced = false);
        elections::elect_leaderless(image);
        reassign::complete_ready(image);
    }
    Ok(ClusterReply::Done)
}

pub(super) fn fence(image: &mut Image, broker: BrokerId, epoch: BrokerEpoch) -> Outcome {
    if !image.registered(broker, epoch)?.fenced {
        image.update_broker(broker, |b| b.fenced = true);
        elections::depart(image, broker, Departure::Fenced);
    }
    Ok(ClusterReply::Done)
}

/// Somebody else in sync must be there to copy it from. The leader epoch grows in any case: what
/// the leader knows of this replica's positions is void from here on.
pub(super) fn give_up(
    image: &mut Image,
    broker: BrokerId,
    epoch: BrokerEpoch,
    id: PartitionId,
) -> Outcome {
    image.registered(broker, epoch)?;
    let partition = image
        .partition(id)
        .ok_or(ClusterError::UnknownPartition(id))?;
    let eligible = partition.isr.contains(&broker) || partition.elr.contains(&broker);
    if eligible && !partition.isr.iter().any(|b| *b != broker) {
        return Err(ClusterError::LastInSync(id));
    }
    let led_by = partition.leader;
    elections::disqualify(image, broker, |p| p == id);
    if let Some(same) = image.partition(id).filter(|p| p.leader == led_by) {
        let mut next = same.clone();
        next.leader_epoch.0 += 1;
        image.replace_partition(id, next);
    }
    Ok(ClusterReply::Done)
}

pub(super) fn begin_stop(image: &mut Image, broker: BrokerId, epoch: BrokerEpoch) -> Outcome {
    image.registered(broker, epoch)?;
    image.update_broker(broker, |b| b.stopping = true);
    elections::depart(image, broker, Departure::Stopping);
    let (leaders, _) = image.holdings(broker);
    Ok(ClusterReply::StillLeads(leaders))
}

/// What `begin_stop` took away may come back; leaders return with the next election.
pub(super) fn allow_leaders(image: &mut Image, broker: BrokerId, epoch: BrokerEpoch) -> Outcome {
    if image.registered(broker, epoch)?.stopping {
        image.update_broker(broker, |b| b.stopping = false);
        elections::elect_leaderless(image);
        reassign::complete_ready(image);
    }
    Ok(ClusterReply::Done)
}

pub(super) fn unregister(image: &mut Image, broker: BrokerId) -> Outcome {
    if !image.brokers.contains_key(&broker) {
        return Err(ClusterError::UnknownBroker(broker));
    }
    if image.holdings(broker).1 > 0 {
        return Err(ClusterError::BrokerInUse(broker));
    }
    image.brokers.remove(&broker);
    image.unclean.remove(&broker);
    Ok(ClusterReply::Done)
}

pub(super) fn set_listeners(
    image: &mut Image,
    broker: BrokerId,
    listeners: &[Listener],
) -> Outcome {
    if !image.brokers.contains_key(&broker) {
        return Err(ClusterError::UnknownBroker(broker));
    }
    image.update_broker(broker, |b| {
        for told in listeners {
            match b.listeners.iter_mut().find(|l| l.name == told.name) {
                Some(known) => *known = told.clone(),
                None => b.listeners.push(told.clone()),
            }
        }
    });
    Ok(ClusterReply::Done)
}
