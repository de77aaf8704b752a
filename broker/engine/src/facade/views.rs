//! The metadata in the faces' words.

use std::sync::Arc;
use weir_api::{
    BrokerView, ClusterView, ListenerView, PartitionView, TopicOwner, TopicRef, TopicView,
};
use weir_core::cluster::{self, Image, Listener, Partition, Topic};
use weir_types::{BrokerId, PartitionId};

use crate::quorum::Quorum;

pub(super) fn cluster(quorum: &Quorum) -> ClusterView {
    let (image, members) = (quorum.image(), quorum.members());
    let votes = |id: BrokerId| members.iter().any(|m| m.voter && m.broker == Some(id));
    ClusterView {
        cluster_id: image.cluster_id.clone(),
        controller: quorum.controller(),
        version: image.version,
        brokers: image
            .brokers
            .values()
            .map(|b| broker(b, votes(b.id)))
            .collect(),
    }
}

fn broker(b: &cluster::Broker, voter: bool) -> BrokerView {
    BrokerView {
        id: b.id,
        epoch: b.epoch,
        rack: b.rack.clone(),
        listeners: b.listeners.iter().map(listener_out).collect(),
        fenced: b.fenced,
        stopping: b.stopping,
        voter,
    }
}

fn listener_out(l: &Listener) -> ListenerView {
    ListenerView {
        name: l.name.clone(),
        host: l.host.clone(),
        port: l.port,
    }
}

pub(super) fn listener_in(l: ListenerView) -> Listener {
    Listener {
        name: l.name,
        host: l.host,
        port: l.port,
    }
}

pub(super) fn find<'a>(image: &'a Image, topic: &TopicRef) -> Option<&'a Arc<Topic>> {
    match topic {
        TopicRef::Name(name) => image.topic_by_name(name),
        TopicRef::Id(id) => image.topics.get(id),
    }
}

pub(super) fn topic(image: &Image, t: &Topic) -> TopicView {
    let partitions = (0..)
        .zip(&t.partitions)
        .map(|(index, p)| partition(image, PartitionId::new(t.id, index), p));
    TopicView {
        id: t.id,
        name: t.name.clone(),
        internal: t.internal,
        partitions: partitions.collect(),
        owner: t.owner.as_ref().map(|o| TopicOwner {
            uid: o.uid.clone(),
            namespace: o.namespace.clone(),
            name: o.name.clone(),
        }),
    }
}

pub(super) fn owner_in(o: TopicOwner) -> cluster::TopicOwner {
    cluster::TopicOwner {
        uid: o.uid,
        namespace: o.namespace,
        name: o.name,
    }
}

pub(super) fn partition(image: &Image, id: PartitionId, p: &Partition) -> PartitionView {
    let moving = image.reassignments.get(&id);
    PartitionView {
        index: id.index,
        leader: p.leader,
        leader_epoch: p.leader_epoch,
        partition_epoch: p.partition_epoch,
        replicas: p.replicas.clone(),
        isr: p.isr.clone(),
        elr: p.elr.clone(),
        last_leader: p.last_leader,
        offline: p
            .replicas
            .iter()
            .copied()
            .filter(|b| !image.is_live(*b))
            .collect(),
        adding: moving.map_or_else(Vec::new, cluster::Reassignment::adding),
        removing: moving.map_or_else(Vec::new, cluster::Reassignment::removing),
    }
}
