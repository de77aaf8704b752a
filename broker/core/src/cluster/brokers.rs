//! Registration and fencing (KIP-631, KIP-841).

use std::sync::Arc;
use weir_types::{BrokerEpoch, BrokerId};

use super::apply::Outcome;
use super::elections::{self, Departure};
use super::{Broker, ClusterError, ClusterReply, Image, Listener, Registration};

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

pub(super) fn begin_stop(image: &mut Image, broker: BrokerId, epoch: BrokerEpoch) -> Outcome {
    image.registered(broker, epoch)?;
    image.update_broker(broker, |b| b.stopping = true);
    elections::depart(image, broker, Departure::Stopping);
    let leads = |t: &Arc<super::Topic>| {
        t.partitions
            .iter()
            .filter(|p| p.leader == Some(broker))
            .count()
    };
    let count: usize = image.topics.values().map(leads).sum();
    Ok(ClusterReply::StillLeads(
        u32::try_from(count).unwrap_or(u32::MAX),
    ))
}

pub(super) fn unregister(image: &mut Image, broker: BrokerId) -> Outcome {
    if !image.brokers.contains_key(&broker) {
        return Err(ClusterError::UnknownBroker(broker));
    }
    let holds = |p: &super::Partition| p.replicas.contains(&broker);
    if image
        .topics
        .values()
        .any(|t| t.partitions.iter().any(holds))
    {
        return Err(ClusterError::BrokerInUse(broker));
    }
    image.brokers.remove(&broker);
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
