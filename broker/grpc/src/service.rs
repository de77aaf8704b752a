//! The service: one line a call.

use futures::{Stream, StreamExt as _};
use std::pin::Pin;
use std::sync::Arc;
use tonic::{Request, Response, Status};
use weir_api::Engine;
use weir_proto::admin as pb;
use weir_proto::admin::admin_server::Admin;
use weir_types::{BrokerId, OperatorEpoch};

use crate::status::status;
use crate::{cluster, data, groups, operator, topics};

pub(crate) struct Service {
    pub(crate) engine: Arc<dyn Engine>,
}

type Reply<T> = Result<Response<T>, Status>;
type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send + 'static>>;

#[tonic::async_trait]
impl Admin for Service {
    async fn get_broker(&self, _: Request<pb::GetBrokerRequest>) -> Reply<pb::GetBrokerResponse> {
        Ok(Response::new(cluster::get_broker(&*self.engine)))
    }

    async fn form(&self, request: Request<pb::FormRequest>) -> Reply<pb::FormResponse> {
        operator::engine(&self.engine, &request)?
            .form(&request.into_inner().cluster_id)
            .await
            .map_err(status)?;
        Ok(Response::new(pb::FormResponse {}))
    }

    async fn describe_cluster(
        &self,
        _: Request<pb::DescribeClusterRequest>,
    ) -> Reply<pb::DescribeClusterResponse> {
        Ok(Response::new(cluster::describe(&*self.engine)))
    }

    async fn set_listeners(
        &self,
        request: Request<pb::SetListenersRequest>,
    ) -> Reply<pb::SetListenersResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        Ok(Response::new(
            cluster::set_listeners(&*engine, request.into_inner()).await?,
        ))
    }

    async fn check_restart(
        &self,
        request: Request<pb::CheckRestartRequest>,
    ) -> Reply<pb::CheckRestartResponse> {
        let broker = BrokerId(request.into_inner().broker_id);
        Ok(Response::new(
            cluster::check_restart(&*self.engine, broker).await?,
        ))
    }

    async fn move_leaders_away(
        &self,
        request: Request<pb::MoveLeadersAwayRequest>,
    ) -> Reply<pb::MoveLeadersAwayResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let broker = BrokerId(request.into_inner().broker_id);
        let remaining = engine.move_leaders_away(broker).await.map_err(status)?;
        Ok(Response::new(pb::MoveLeadersAwayResponse { remaining }))
    }

    async fn elect_preferred(
        &self,
        request: Request<pb::ElectPreferredRequest>,
    ) -> Reply<pb::ElectPreferredResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let changed = engine.elect_preferred(None).await.map_err(status)?;
        Ok(Response::new(pb::ElectPreferredResponse { changed }))
    }

    async fn unregister(
        &self,
        request: Request<pb::UnregisterRequest>,
    ) -> Reply<pb::UnregisterResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let broker = BrokerId(request.into_inner().broker_id);
        engine.unregister(broker).await.map_err(status)?;
        Ok(Response::new(pb::UnregisterResponse {}))
    }

    async fn set_operator_epoch(
        &self,
        request: Request<pb::SetOperatorEpochRequest>,
    ) -> Reply<pb::SetOperatorEpochResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let pb::SetOperatorEpochRequest { epoch, force } = request.into_inner();
        if epoch == 0 {
            return Err(Status::invalid_argument("operator epochs begin with 1"));
        }
        let set = engine.set_operator_epoch(OperatorEpoch(epoch), force).await;
        set.map_err(status)?;
        Ok(Response::new(pb::SetOperatorEpochResponse {}))
    }

    async fn list_topics(
        &self,
        request: Request<pb::ListTopicsRequest>,
    ) -> Reply<pb::ListTopicsResponse> {
        let topics = topics::list(&*self.engine, request.into_inner().internal).await?;
        Ok(Response::new(pb::ListTopicsResponse { topics }))
    }

    async fn describe_topic(
        &self,
        request: Request<pb::DescribeTopicRequest>,
    ) -> Reply<pb::DescribeTopicResponse> {
        let topic = Some(topics::describe(&*self.engine, &request.into_inner().name).await?);
        Ok(Response::new(pb::DescribeTopicResponse { topic }))
    }

    async fn create_topic(
        &self,
        request: Request<pb::CreateTopicRequest>,
    ) -> Reply<pb::CreateTopicResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let topic = Some(topics::create(&*engine, request.into_inner()).await?);
        Ok(Response::new(pb::CreateTopicResponse { topic }))
    }

    async fn alter_topic(
        &self,
        request: Request<pb::AlterTopicRequest>,
    ) -> Reply<pb::AlterTopicResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        let topic = Some(topics::alter(&*engine, request.into_inner()).await?);
        Ok(Response::new(pb::AlterTopicResponse { topic }))
    }

    async fn delete_topic(
        &self,
        request: Request<pb::DeleteTopicRequest>,
    ) -> Reply<pb::DeleteTopicResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        topics::delete(&*engine, request.into_inner().name).await?;
        Ok(Response::new(pb::DeleteTopicResponse {}))
    }

    async fn alter_cluster_config(
        &self,
        request: Request<pb::AlterClusterConfigRequest>,
    ) -> Reply<pb::AlterClusterConfigResponse> {
        let engine = operator::engine(&self.engine, &request)?;
        topics::alter_cluster_config(&*engine, request.into_inner()).await?;
        Ok(Response::new(pb::AlterClusterConfigResponse {}))
    }

    async fn describe_cluster_config(
        &self,
        _: Request<pb::DescribeClusterConfigRequest>,
    ) -> Reply<pb::DescribeClusterConfigResponse> {
        let config = topics::cluster_config(&*self.engine).await?;
        Ok(Response::new(pb::DescribeClusterConfigResponse { config }))
    }

    type WatchMetadataStream = Streamed<pb::MetadataChange>;

    async fn watch_metadata(
        &self,
        _: Request<pb::WatchMetadataRequest>,
    ) -> Reply<Self::WatchMetadataStream> {
        let first = self.engine.cluster().version;
        let now = futures::stream::once(async move { first });
        let later =
            futures::stream::unfold((self.engine.clone(), first), |(engine, seen)| async move {
                let version = engine.changed(seen).await;
                Some((version, (engine, version)))
            });
        let changes = now
            .chain(later)
            .map(|version| Ok(pb::MetadataChange { version }));
        Ok(Response::new(Box::pin(changes)))
    }

    async fn list_groups(
        &self,
        _: Request<pb::ListGroupsRequest>,
    ) -> Reply<pb::ListGroupsResponse> {
        let groups = groups::list(&*self.engine).await?;
        Ok(Response::new(pb::ListGroupsResponse { groups }))
    }

    async fn describe_group(
        &self,
        request: Request<pb::DescribeGroupRequest>,
    ) -> Reply<pb::DescribeGroupResponse> {
        let group = Some(groups::describe(&*self.engine, &request.into_inner().id).await?);
        Ok(Response::new(pb::DescribeGroupResponse { group }))
    }

    async fn partition_bounds(
        &self,
        request: Request<pb::PartitionBoundsRequest>,
    ) -> Reply<pb::PartitionBoundsResponse> {
        Ok(Response::new(
            data::bounds(&*self.engine, request.into_inner()).await?,
        ))
    }

    async fn produce(&self, request: Request<pb::ProduceRequest>) -> Reply<pb::ProduceResponse> {
        Ok(Response::new(
            data::produce(&*self.engine, request.into_inner()).await?,
        ))
    }

    type ConsumeStream = Streamed<pb::ConsumeResponse>;

    async fn consume(&self, request: Request<pb::ConsumeRequest>) -> Reply<Self::ConsumeStream> {
        let stream = data::consume(self.engine.clone(), request.into_inner()).await?;
        Ok(Response::new(Box::pin(stream)))
    }
}
