//! The placement service: where replicas lie, and how they are moved.

use futures::Stream;
use std::pin::Pin;
use std::sync::Arc;
use tonic::{Request, Response, Status};
use weir_api::{Engine, Reassign, ReplicaView, TopicRef};
use weir_proto::admin as pb;
use weir_types::BrokerId;

use crate::convert::ids;
use crate::operator;
use crate::status::status;

/// Partitions of one page.
const PAGE: usize = 1000;

pub(crate) struct Service {
    pub(crate) engine: Arc<dyn Engine>,
}

type Reply<T> = Result<Response<T>, Status>;
type Pages = Pin<Box<dyn Stream<Item = Result<pb::ReplicaPage, Status>> + Send + 'static>>;

#[tonic::async_trait]
impl pb::placement_server::Placement for Service {
    type DescribeReplicasStream = Pages;

    async fn describe_replicas(
        &self,
        request: Request<pb::DescribeReplicasRequest>,
    ) -> Reply<Pages> {
        let held = request.into_inner().held;
        let first = Some((Arc::clone(&self.engine), None));
        let pages = futures::stream::unfold(first, move |next| async move {
            let (engine, after) = next?;
            let metadata_version = engine.cluster().version;
            let page = engine.placement().replicas(after, held, PAGE);
            let last = page.last().map(|r| (r.topic.clone(), r.partition.index));
            // A page that is not full is the last.
            let more = last.filter(|_| page.len() == PAGE);
            let partitions = page.into_iter().map(replicas).collect();
            let page = pb::ReplicaPage {
                metadata_version,
                partitions,
            };
            Some((Ok(page), more.map(|last| (engine, Some(last)))))
        });
        Ok(Response::new(Box::pin(pages)))
    }

    async fn alter_reassignments(
        &self,
        request: Request<pb::AlterReassignmentsRequest>,
    ) -> Reply<pb::AlterReassignmentsResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let asked = request.into_inner().reassignments;
        let names: Vec<_> = asked.iter().map(|r| (r.topic.clone(), r.index)).collect();
        let changes = asked.into_iter().map(reassign).collect::<Result<_, _>>()?;
        let placement = engine.placement();
        let results = placement.alter_reassignments(changes, false).await;
        let results = results.map_err(status)?.into_iter().zip(names);
        let results = results.map(|(result, (topic, index))| pb::ReassignmentResult {
            topic,
            index,
            error: result.err().map(|e| e.to_string()).unwrap_or_default(),
        });
        Ok(Response::new(pb::AlterReassignmentsResponse {
            results: results.collect(),
        }))
    }

    async fn list_reassignments(
        &self,
        _: Request<pb::ListReassignmentsRequest>,
    ) -> Reply<pb::ListReassignmentsResponse> {
        let moving = self.engine.placement().reassignments().into_iter();
        Ok(Response::new(pb::ListReassignmentsResponse {
            partitions: moving.map(replicas).collect(),
        }))
    }

    async fn cordon_broker(
        &self,
        request: Request<pb::CordonBrokerRequest>,
    ) -> Reply<pb::CordonBrokerResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let pb::CordonBrokerRequest {
            broker_id,
            cordoned,
        } = request.into_inner();
        let placement = engine.placement();
        let held = placement.cordon(BrokerId(broker_id), cordoned).await;
        let held = held.map_err(status)?;
        Ok(Response::new(pb::CordonBrokerResponse {
            leaders: held.leaders,
            replicas: held.replicas,
        }))
    }

    async fn remove_broker(
        &self,
        request: Request<pb::RemoveBrokerRequest>,
    ) -> Reply<pb::RemoveBrokerResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let broker = BrokerId(request.into_inner().broker_id);
        let removed = engine.placement().remove_broker(broker).await;
        removed.map_err(status)?;
        Ok(Response::new(pb::RemoveBrokerResponse {}))
    }

    async fn allow_leaders(
        &self,
        request: Request<pb::AllowLeadersRequest>,
    ) -> Reply<pb::AllowLeadersResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let broker = BrokerId(request.into_inner().broker_id);
        let allowed = engine.placement().allow_leaders(broker).await;
        allowed.map_err(status)?;
        Ok(Response::new(pb::AllowLeadersResponse {}))
    }
}

fn reassign(asked: pb::Reassignment) -> Result<Reassign, Status> {
    let replicas: Vec<_> = asked.replicas.into_iter().map(BrokerId).collect();
    let target = match (asked.cancel, replicas.is_empty()) {
        (true, true) => None,
        (false, false) => Some(replicas),
        (cancel, _) => {
            let what = if cancel { "no replicas" } else { "replicas" };
            return Err(Status::invalid_argument(format!(
                "partition {} of {}: {what} are expected with cancel = {cancel}",
                asked.index, asked.topic
            )));
        }
    };
    Ok(Reassign {
        topic: TopicRef::Name(asked.topic),
        index: asked.index,
        target,
    })
}

fn replicas(view: ReplicaView) -> pb::PartitionReplicas {
    let partition = view.partition;
    pb::PartitionReplicas {
        topic: view.topic,
        topic_id: view.topic_id.to_string(),
        index: partition.index,
        leader: partition.leader.map(|b| b.0),
        replicas: ids(&partition.replicas),
        isr: ids(&partition.isr),
        adding: ids(&partition.adding),
        removing: ids(&partition.removing),
        min_isr: u32::try_from(view.min_isr).unwrap_or(u32::MAX),
        internal: view.internal,
        bytes: view.bytes,
    }
}
