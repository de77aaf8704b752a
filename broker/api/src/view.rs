//! The cluster as faces see it.

use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, TopicId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterView {
    pub cluster_id: String,
    pub controller: Option<BrokerId>,
    /// Commands applied to the metadata so far.
    pub version: u64,
    pub brokers: Vec<BrokerView>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerView {
    pub id: BrokerId,
    pub epoch: BrokerEpoch,
    pub rack: Option<String>,
    pub listeners: Vec<ListenerView>,
    pub fenced: bool,
    pub stopping: bool,
    /// It decides the metadata with others, and does not just follow them.
    pub voter: bool,
}

impl BrokerView {
    /// Its address for callers of the listener `name`, if it has one there.
    pub fn listener(&self, name: &str) -> Option<&ListenerView> {
        self.listeners.iter().find(|l| l.name == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerView {
    pub name: String,
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicView {
    pub id: TopicId,
    pub name: String,
    pub internal: bool,
    pub partitions: Vec<PartitionView>,
    pub owner: Option<TopicOwner>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionView {
    pub index: i32,
    pub leader: Option<BrokerId>,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: PartitionEpoch,
    pub replicas: Vec<BrokerId>,
    pub isr: Vec<BrokerId>,
    pub elr: Vec<BrokerId>,
    pub last_leader: Option<BrokerId>,
    /// Replicas whose broker is not registered or fenced.
    pub offline: Vec<BrokerId>,
    /// Replicas that a reassignment adds, and those that go once it is over; all of them stand in
    /// `replicas` too.
    pub adding: Vec<BrokerId>,
    pub removing: Vec<BrokerId>,
}

/// The Kubernetes resource that declared a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOwner {
    pub uid: String,
    pub namespace: String,
    pub name: String,
}

/// A topic by either of its names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef {
    Name(String),
    Id(TopicId),
}
