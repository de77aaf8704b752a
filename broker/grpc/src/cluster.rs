//! The broker and its cluster.

use tonic::Status;
use weir_api::{
    BrokerView, ClusterView, Engine, ListenerView, PartitionView, RestartBlocker, TopicView,
};
use weir_proto::admin as pb;
use weir_types::BrokerId;

use crate::convert::count;
use crate::status::status;

/// Blockers named one by one in an answer; the rest is only counted.
const BLOCKERS_MAX: usize = 20;

/// What one broker holds.
#[derive(Default)]
struct Holdings {
    leaders: u32,
    replicas: u32,
    out_of_sync: u32,
}

fn holdings(topics: &[TopicView], broker: BrokerId) -> Holdings {
    let mut held = Holdings::default();
    for p in topics.iter().flat_map(|t| &t.partitions) {
        held.leaders += u32::from(p.leader == Some(broker));
        if p.replicas.contains(&broker) {
            held.replicas += 1;
            held.out_of_sync += u32::from(is_missed(p, broker));
        }
    }
    held
}

/// Out of sync, and not because it is only being added.
fn is_missed(partition: &PartitionView, replica: BrokerId) -> bool {
    !partition.isr.contains(&replica) && !partition.adding.contains(&replica)
}

pub(crate) fn get_broker(engine: &dyn Engine) -> pb::GetBrokerResponse {
    let cluster = engine.cluster();
    let me = engine.broker();
    let registered = cluster.brokers.iter().find(|b| b.id == me);
    let held = holdings(&engine.topics(), me);
    pb::GetBrokerResponse {
        broker_id: me.0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        registered: registered.is_some(),
        fenced: registered.is_some_and(|b| b.fenced),
        controller_id: cluster.controller.map(|b| b.0),
        cluster_id: cluster.cluster_id,
        leaders: held.leaders,
        replicas: held.replicas,
        out_of_sync: held.out_of_sync,
        operator_epoch: Some(engine.operator_epoch().0),
    }
}

pub(crate) fn describe(engine: &dyn Engine) -> pb::DescribeClusterResponse {
    let ClusterView {
        cluster_id,
        controller,
        version,
        brokers,
    } = engine.cluster();
    let topics = engine.topics();
    let partitions = || topics.iter().flat_map(|t| &t.partitions);
    pb::DescribeClusterResponse {
        cluster_id,
        controller_id: controller.map(|b| b.0),
        metadata_version: version,
        brokers: brokers.into_iter().map(|b| broker(b, &topics)).collect(),
        topics: count(topics.len()),
        partitions: count(partitions().count()),
        offline_partitions: count(partitions().filter(|p| p.leader.is_none()).count()),
        under_replicated_partitions: count(
            partitions()
                .filter(|p| p.replicas.iter().any(|b| is_missed(p, *b)))
                .count(),
        ),
    }
}

fn broker(view: BrokerView, topics: &[TopicView]) -> pb::Broker {
    let held = holdings(topics, view.id);
    pb::Broker {
        id: view.id.0,
        rack: view.rack,
        fenced: view.fenced,
        stopping: view.stopping,
        voter: view.voter,
        listeners: view.listeners.into_iter().map(listener).collect(),
        leaders: held.leaders,
        replicas: held.replicas,
        out_of_sync: held.out_of_sync,
    }
}

fn listener(view: ListenerView) -> pb::Listener {
    pb::Listener {
        name: view.name,
        host: view.host,
        port: u32::from(view.port),
    }
}

pub(crate) async fn set_listeners(
    engine: &dyn Engine,
    request: pb::SetListenersRequest,
) -> Result<pb::SetListenersResponse, Status> {
    let parse = |l: pb::Listener| {
        let port = u16::try_from(l.port)
            .map_err(|_| Status::invalid_argument(format!("port {} of {}", l.port, l.name)))?;
        Ok::<_, Status>(ListenerView {
            name: l.name,
            host: l.host,
            port,
        })
    };
    let listeners = request
        .listeners
        .into_iter()
        .map(parse)
        .collect::<Result<_, _>>()?;
    engine
        .set_listeners(BrokerId(request.broker_id), listeners)
        .await
        .map_err(status)?;
    Ok(pb::SetListenersResponse {})
}

pub(crate) async fn check_restart(
    engine: &dyn Engine,
    broker: BrokerId,
) -> Result<pb::CheckRestartResponse, Status> {
    let blockers = engine.restart_blockers(broker).await.map_err(status)?;
    Ok(pb::CheckRestartResponse {
        total: count(blockers.len()),
        blockers: blockers
            .into_iter()
            .take(BLOCKERS_MAX)
            .map(blocker)
            .collect(),
    })
}

fn blocker(blocker: RestartBlocker) -> pb::Blocker {
    let of = |reason: &str, topic: String, partition, message: &str| pb::Blocker {
        reason: reason.to_owned(),
        topic,
        partition,
        message: message.to_owned(),
    };
    match blocker {
        RestartBlocker::BelowMinIsr { name, index, .. } => of(
            "BelowMinIsr",
            name,
            index,
            "too few replicas would be in sync without it",
        ),
        RestartBlocker::OnlyReplica { name, index, .. } => {
            of("OnlyReplica", name, index, "no other replica is in sync")
        }
        RestartBlocker::Quorum {
            voters_down,
            voters,
        } => of(
            "Quorum",
            String::new(),
            -1,
            &format!("{voters_down} of {voters} voters would be down"),
        ),
    }
}
