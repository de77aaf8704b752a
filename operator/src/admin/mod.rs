//! The brokers, behind traits: what the operator asks of them, and how it reaches them.

mod broker;
mod connector;
mod grpc;
mod refusal;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::channel::mpsc;
use futures::stream::BoxStream;
use thiserror::Error;
use weir_proto::admin as pb;

pub use connector::GrpcConnector;

use crate::kafka_config::Settings;

/// Why a broker did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AdminError {
    /// No answer; whether the request had an effect is not known.
    #[error("{host} does not answer: {why}")]
    Unreachable { host: String, why: String },
    /// The broker's answer; asking again without a change brings the same.
    #[error("{message}")]
    Refused { kind: Refusal, message: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    AlreadyExists,
    Invalid,
    /// Not now: the state of the cluster does not allow it.
    Precondition,
    /// A later operator was heard: this one must end.
    Deposed,
    Other,
}

impl AdminError {
    pub fn is(&self, wanted: Refusal) -> bool {
        matches!(self, AdminError::Refused { kind, .. } if *kind == wanted)
    }
}

pub type AdminResult<T> = Result<T, AdminError>;

/// A topic to be created.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTopic {
    pub name: String,
    /// `None`: the cluster's default.
    pub partitions: Option<i32>,
    pub replication_factor: Option<i32>,
    pub config: Settings,
    pub owner: pb::TopicOwner,
}

/// Changes of a topic, made together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicChange {
    pub partitions: Option<i32>,
    pub set: Settings,
    pub remove: Vec<String>,
    pub owner: Option<pb::TopicOwner>,
}

/// One broker. Every call is bounded in time; all are safe to repeat.
#[async_trait]
pub trait Admin: Send + Sync {
    async fn get_broker(&self) -> AdminResult<pb::GetBrokerResponse>;
    async fn form(&self, cluster_id: &str) -> AdminResult<()>;
    async fn describe_cluster(&self) -> AdminResult<pb::DescribeClusterResponse>;
    async fn set_listeners(&self, broker: i32, listeners: Vec<pb::Listener>) -> AdminResult<()>;
    async fn check_restart(&self, broker: i32) -> AdminResult<pb::CheckRestartResponse>;
    /// How many leaders it still has.
    async fn move_leaders_away(&self, broker: i32) -> AdminResult<u32>;
    async fn elect_preferred(&self) -> AdminResult<u32>;
    /// Makes the operator of this epoch heard; those before it are refused from then on.
    async fn set_operator_epoch(&self, epoch: u64) -> AdminResult<()>;
    /// Takes `move_leaders_away` back.
    async fn allow_leaders(&self, broker: i32) -> AdminResult<()>;
    /// Every partition; with `held` those of which the broker has a replica, with their sizes.
    async fn describe_replicas(&self, held: bool) -> AdminResult<Vec<pb::PartitionReplicas>>;
    /// Starts and cancels moves; what was refused, with the reason.
    async fn alter_reassignments(
        &self,
        moves: Vec<pb::Reassignment>,
    ) -> AdminResult<Vec<pb::ReassignmentResult>>;
    /// A cordoned broker gets no replicas and gives its leaders away. What it still has.
    async fn cordon_broker(&self, broker: i32, on: bool) -> AdminResult<pb::CordonBrokerResponse>;
    /// Takes an empty broker out of the metadata; one that is not known counts as taken out.
    async fn remove_broker(&self, broker: i32) -> AdminResult<()>;
    async fn cluster_config(&self) -> AdminResult<Settings>;
    async fn alter_cluster_config(&self, set: Settings, remove: Vec<String>) -> AdminResult<()>;
    async fn list_topics(&self) -> AdminResult<Vec<pb::Topic>>;
    async fn describe_topic(&self, name: &str) -> AdminResult<Option<pb::Topic>>;
    async fn create_topic(&self, topic: NewTopic) -> AdminResult<pb::Topic>;
    async fn alter_topic(&self, name: &str, change: TopicChange) -> AdminResult<pb::Topic>;
    async fn delete_topic(&self, name: &str) -> AdminResult<()>;
    /// Versions of the metadata, the first at once; ends when the connection does.
    async fn watch_metadata(&self) -> AdminResult<BoxStream<'static, u64>>;
    /// Reports about the groups of the last set in `watches`; ends when the connection does.
    async fn watch_backlog(
        &self,
        watches: mpsc::Receiver<pb::BacklogWatch>,
    ) -> AdminResult<BoxStream<'static, AdminResult<pb::BacklogReport>>> {
        drop(watches);
        Err(AdminError::Refused {
            kind: Refusal::Other,
            message: "this broker reports no backlogs".to_owned(),
        })
    }
}

/// Where a broker answers, and as whom to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    pub identity: Arc<Identity>,
}

/// The operator's certificate for one cluster, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub ca: String,
    pub cert: String,
    pub key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// Makes handles of brokers. A handle connects when it is first used.
pub trait Connector: Send + Sync {
    /// # Errors
    /// The certificate cannot be used.
    fn broker(&self, endpoint: &Endpoint) -> AdminResult<Arc<dyn Admin>>;
}

/// Settings as the wire has them.
fn to_map(settings: Settings) -> std::collections::HashMap<String, String> {
    settings.into_iter().collect()
}

/// Settings of a topic, in order.
pub fn settings_of(topic: &pb::Topic) -> Settings {
    topic
        .config
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect::<BTreeMap<_, _>>()
}
