//! Brokers over gRPC with mutual TLS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint as Target};
use tonic::{Code, Status};
use weir_proto::admin as pb;
use weir_proto::admin::admin_client::AdminClient;

use super::{
    Admin, AdminError, AdminResult, Connector, Endpoint, Identity, NewTopic, Refusal, TopicChange,
    to_map,
};
use crate::kafka_config::Settings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Largest answer: every topic of a large cluster.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Connections kept; beyond that all are dropped and made again as needed.
const CHANNELS_MAX: usize = 4096;

/// Keeps a connection to each broker.
#[derive(Default)]
pub struct GrpcConnector {
    channels: Mutex<HashMap<String, (Arc<Identity>, Channel)>>,
}

impl Connector for GrpcConnector {
    fn broker(&self, endpoint: &Endpoint) -> AdminResult<Arc<dyn Admin>> {
        let host = format!("{}:{}", endpoint.host, endpoint.port);
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = channels
            .get(&host)
            .filter(|(identity, _)| *identity == endpoint.identity)
            .map(|(_, channel)| channel.clone());
        let channel = match kept {
            Some(channel) => channel,
            None => {
                if channels.len() >= CHANNELS_MAX {
                    channels.clear();
                }
                let channel = connect(&host, &endpoint.identity)?;
                let entry = (endpoint.identity.clone(), channel.clone());
                channels.insert(host.clone(), entry);
                channel
            }
        };
        let client = AdminClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(Arc::new(Broker { host, client }))
    }
}

fn connect(host: &str, identity: &Identity) -> AdminResult<Channel> {
    let unusable = |why: tonic::transport::Error| AdminError::Unreachable {
        host: host.to_owned(),
        why: reasons(&why),
    };
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&identity.ca))
        .identity(tonic::transport::Identity::from_pem(
            &identity.cert,
            &identity.key,
        ));
    let target = Target::from_shared(format!("https://{host}"))
        .and_then(|t| t.tls_config(tls))
        .map_err(unusable)?;
    Ok(target
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .connect_lazy())
}

struct Broker {
    host: String,
    client: AdminClient<Channel>,
}

impl Broker {
    fn error(&self, status: &Status) -> AdminError {
        let kind = match status.code() {
            Code::NotFound => Refusal::NotFound,
            Code::AlreadyExists => Refusal::AlreadyExists,
            Code::InvalidArgument | Code::OutOfRange => Refusal::Invalid,
            Code::FailedPrecondition | Code::Aborted => Refusal::Precondition,
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => {
                return AdminError::Unreachable {
                    host: self.host.clone(),
                    why: why(status),
                };
            }
            _ => Refusal::Other,
        };
        AdminError::Refused {
            kind,
            message: status.message().to_owned(),
        }
    }

    /// Sends one request and waits for its answer, no longer than a call may take.
    async fn call<T, F>(&self, call: impl FnOnce(AdminClient<Channel>) -> F) -> AdminResult<T>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        match tokio::time::timeout(CALL_TIMEOUT, call(self.client.clone())).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.error(&status)),
            Err(_) => Err(AdminError::Unreachable {
                host: self.host.clone(),
                why: format!("no answer in {} s", CALL_TIMEOUT.as_secs()),
            }),
        }
    }
}

fn why(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => reasons(source),
        None => status.message().to_owned(),
    }
}

/// An error with all its causes: the outermost of a connection says nothing.
fn reasons(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..8 {
        let Some(inner) = cause else { break };
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

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
}
