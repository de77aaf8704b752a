use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::watch;
use weir_api::{CommittedOffset, Result};
use weir_core::cluster::{ClusterCommand, Image};
use weir_types::{BrokerId, LeaderEpoch, Offset, PartitionId};

use super::backlog::{Answer, Question};

/// What the coordinator needs of the rest of the broker: the metadata, the partitions of the
/// offsets topic, and the coordinators on other brokers.
#[async_trait]
pub trait OffsetsLog: Send + Sync + 'static {
    /// This broker.
    fn broker(&self) -> BrokerId;

    /// The metadata as this broker follows them.
    fn metadata(&self) -> watch::Receiver<Arc<Image>>;

    /// Has a command decided. When it returns well, or with [`weir_api::Error::TopicExists`],
    /// [`Self::metadata`] holds the effect or will soon.
    async fn propose(&self, command: ClusterCommand) -> Result<()>;

    /// Appends under this leader epoch and no other, and returns once every in-sync replica has
    /// it. On an error other than [`weir_api::Error::NotLeader`] the effect may be unknown.
    async fn append(
        &self,
        partition: PartitionId,
        epoch: LeaderEpoch,
        records: Vec<LogRecord>,
    ) -> Result<()>;

    /// Records from `from` on, up to the high watermark, as their leader. An error as long as
    /// this broker does not know the high watermark of its epoch.
    async fn read(&self, partition: PartitionId, from: Offset) -> Result<LogPage>;

    /// Log start and high watermark, if this broker leads the partition and knows them.
    fn bounds(&self, partition: PartitionId) -> Option<(Offset, Offset)>;

    /// All committed offsets of a group, from the broker that coordinates it.
    async fn ask_committed(&self, broker: BrokerId, group: &str) -> Result<Vec<CommittedOffset>>;

    /// A question about backlogs to another broker, or why there is no answer. The caller bounds
    /// the wait.
    async fn ask_backlog(
        &self,
        broker: BrokerId,
        question: &Question,
    ) -> std::result::Result<Answer, String>;
}

/// One record of the offsets topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    pub key: Bytes,
    /// `None` deletes.
    pub value: Option<Bytes>,
}

impl LogRecord {
    pub(super) fn len(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

/// Some records, and where to read on.
#[derive(Clone, Debug)]
pub struct LogPage {
    pub records: Vec<LogRecord>,
    pub next: Offset,
    pub high_watermark: Offset,
}
