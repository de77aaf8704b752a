//! What is asked of a broker over gRPC.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::channel::mpsc;
use futures::stream::BoxStream;
use tonic::Status;
use weir_proto::admin as pb;

use super::broker::{Broker, CALL_TIMEOUT};
use super::refusal::why;
use super::{Admin, AdminError, AdminResult, NewTopic, Refusal, TopicChange, to_map};
use crate::kafka_config::Settings;

/// All pages of a large cluster's replicas.
const STREAM_TIMEOUT: Duration = Duration::from_secs(30);
/// Partitions of one cluster that this operator can plan for.
const PARTITIONS_MAX: usize = 200_000;

/// The topic of an answer that always has one.
fn topic(host: &str, topic: Option<pb::Topic>) -> AdminResult<pb::Topic> {
    topic.ok_or_else(|| AdminError::Refused {
        kind: Refusal::Other,
        message: format!("{host} answered without a topic"),
    })
}

#[async_trait]
impl Admin for Broker {
    async fn get_broker(&self) -> AdminResult<pb::GetBrokerResponse> {
        let request = pb::GetBrokerRequest {};
        self.call(|mut c| async move { c.get_broker(request).await })
            .await
    }

    async fn form(&self, cluster_id: &str) -> AdminResult<()> {
        let cluster_id = cluster_id.to_owned();
        let request = pb::FormRequest { cluster_id };
        self.call(|mut c| async move { c.form(request).await })
            .await
            .map(drop)
    }

    async fn describe_cluster(&self) -> AdminResult<pb::DescribeClusterResponse> {
        let request = pb::DescribeClusterRequest {};
        self.call(|mut c| async move { c.describe_cluster(request).await })
            .await
    }

    async fn set_listeners(&self, broker_id: i32, listeners: Vec<pb::Listener>) -> AdminResult<()> {
        let request = pb::SetListenersRequest {
            broker_id,
            listeners,
        };
        self.call(|mut c| async move { c.set_listeners(request).await })
            .await
            .map(drop)
    }

    async fn check_restart(&self, broker_id: i32) -> AdminResult<pb::CheckRestartResponse> {
        let request = pb::CheckRestartRequest { broker_id };
        self.call(|mut c| async move { c.check_restart(request).await })
            .await
    }

    async fn move_leaders_away(&self, broker_id: i32) -> AdminResult<u32> {
        let request = pb::MoveLeadersAwayRequest { broker_id };
        self.call(|mut c| async move { c.move_leaders_away(request).await })
            .await
            .map(|answer| answer.remaining)
    }

    async fn elect_preferred(&self) -> AdminResult<u32> {
        let request = pb::ElectPreferredRequest {};
        self.call(|mut c| async move { c.elect_preferred(request).await })
            .await
            .map(|answer| answer.changed)
    }

    async fn set_operator_epoch(&self, epoch: u64) -> AdminResult<()> {
        let request = pb::SetOperatorEpochRequest {
            epoch,
            force: false,
        };
        self.call(|mut c| async move { c.set_operator_epoch(request).await })
            .await
            .map(drop)
    }

    async fn allow_leaders(&self, broker_id: i32) -> AdminResult<()> {
        let request = pb::AllowLeadersRequest { broker_id };
        self.place(|mut c| async move { c.allow_leaders(request).await })
            .await
            .map(drop)
    }

    async fn describe_replicas(&self, held: bool) -> AdminResult<Vec<pb::PartitionReplicas>> {
        let mut client = self.placement.clone();
        let collected = async move {
            let request = pb::DescribeReplicasRequest { held };
            let mut pages = client.describe_replicas(request).await?.into_inner();
            let mut all = Vec::new();
            while let Some(page) = pages.message().await? {
                all.extend(page.partitions);
                if all.len() > PARTITIONS_MAX {
                    let most = format!("more than {PARTITIONS_MAX} partitions");
                    return Err(Status::out_of_range(most));
                }
            }
            Ok(all)
        };
        self.within(STREAM_TIMEOUT, collected).await
    }

    async fn alter_reassignments(
        &self,
        reassignments: Vec<pb::Reassignment>,
    ) -> AdminResult<Vec<pb::ReassignmentResult>> {
        let request = pb::AlterReassignmentsRequest { reassignments };
        let answer = self
            .place(|mut c| async move { c.alter_reassignments(request).await })
            .await?;
        let refused = |r: &pb::ReassignmentResult| !r.error.is_empty();
        Ok(answer.results.into_iter().filter(refused).collect())
    }

    async fn cordon_broker(&self, broker: i32, on: bool) -> AdminResult<pb::CordonBrokerResponse> {
        let request = pb::CordonBrokerRequest {
            broker_id: broker,
            cordoned: on,
        };
        self.place(|mut c| async move { c.cordon_broker(request).await })
            .await
    }

    async fn remove_broker(&self, broker_id: i32) -> AdminResult<()> {
        let request = pb::RemoveBrokerRequest { broker_id };
        self.place(|mut c| async move { c.remove_broker(request).await })
            .await
            .map(drop)
    }

    async fn cluster_config(&self) -> AdminResult<Settings> {
        let request = pb::DescribeClusterConfigRequest {};
        self.call(|mut c| async move { c.describe_cluster_config(request).await })
            .await
            .map(|answer| answer.config.into_iter().collect())
    }

    async fn alter_cluster_config(&self, set: Settings, remove: Vec<String>) -> AdminResult<()> {
        let set = to_map(set);
        let request = pb::AlterClusterConfigRequest { set, remove };
        self.call(|mut c| async move { c.alter_cluster_config(request).await })
            .await
            .map(drop)
    }

    async fn list_topics(&self) -> AdminResult<Vec<pb::Topic>> {
        let request = pb::ListTopicsRequest { internal: false };
        self.call(|mut c| async move { c.list_topics(request).await })
            .await
            .map(|answer| answer.topics)
    }

    async fn describe_topic(&self, name: &str) -> AdminResult<Option<pb::Topic>> {
        let name = name.to_owned();
        let request = pb::DescribeTopicRequest { name };
        let answer = self
            .call(|mut c| async move { c.describe_topic(request).await })
            .await;
        match answer {
            Ok(answer) => Ok(answer.topic),
            Err(error) if error.is(Refusal::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create_topic(&self, new: NewTopic) -> AdminResult<pb::Topic> {
        let request = pb::CreateTopicRequest {
            name: new.name,
            partitions: new.partitions.unwrap_or(0),
            replication_factor: new.replication_factor.unwrap_or(0),
            config: to_map(new.config),
            owner: Some(new.owner),
            validate_only: false,
        };
        let answer = self
            .call(|mut c| async move { c.create_topic(request).await })
            .await?;
        topic(&self.host, answer.topic)
    }

    async fn alter_topic(&self, name: &str, change: TopicChange) -> AdminResult<pb::Topic> {
        let request = pb::AlterTopicRequest {
            name: name.to_owned(),
            partitions: change.partitions,
            set: to_map(change.set),
            remove: change.remove,
            set_owner: change.owner.is_some(),
            owner: change.owner,
            validate_only: false,
        };
        let answer = self
            .call(|mut c| async move { c.alter_topic(request).await })
            .await?;
        topic(&self.host, answer.topic)
    }

    async fn delete_topic(&self, name: &str) -> AdminResult<()> {
        let name = name.to_owned();
        let request = pb::DeleteTopicRequest { name };
        self.call(|mut c| async move { c.delete_topic(request).await })
            .await
            .map(drop)
    }

    async fn watch_metadata(&self) -> AdminResult<BoxStream<'static, u64>> {
        let request = pb::WatchMetadataRequest {};
        let changes = self
            .call(|mut c| async move { c.watch_metadata(request).await })
            .await?;
        let versions = changes
            .take_while(|change| std::future::ready(change.is_ok()))
            .filter_map(|change| std::future::ready(change.ok().map(|c| c.version)));
        Ok(versions.boxed())
    }

    async fn watch_backlog(
        &self,
        watches: mpsc::Receiver<pb::BacklogWatch>,
    ) -> AdminResult<BoxStream<'static, AdminResult<pb::BacklogReport>>> {
        let mut backlog = self.backlog.clone();
        let asked = backlog.watch_backlog(watches);
        let reports = self.within(CALL_TIMEOUT, asked).await?.into_inner();
        let host = self.host.clone();
        let reports = reports.map(move |report| {
            report.map_err(|status| AdminError::Unreachable {
                host: host.clone(),
                why: why(&status),
            })
        });
        Ok(reports.boxed())
    }
}
