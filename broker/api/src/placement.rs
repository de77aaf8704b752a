use async_trait::async_trait;
use weir_types::{BrokerId, TopicId};

use crate::{Error, PartitionView, Result, TopicRef};

/// Where replicas lie, and how they are moved: for the operator and for Kafka's tools.
///
/// An engine without a cluster keeps the defaults.
#[async_trait]
pub trait Placement: Send + Sync {
    /// Starts, replaces and cancels reassignments (KIP-455); one result a change, in order.
    /// `same_factor` refuses another number of replicas (KIP-860). Safe to repeat.
    async fn alter_reassignments(
        &self,
        changes: Vec<Reassign>,
        same_factor: bool,
    ) -> Result<Vec<Result<()>>> {
        let _ = (changes, same_factor);
        Err(unplaced())
    }

    /// Partitions that are being reassigned, in order of topic name and index.
    fn reassignments(&self) -> Vec<ReplicaView> {
        Vec::new()
    }

    /// At most `limit` partitions after `after`, in order of topic name and index; with `held`
    /// only those of which this broker has a replica.
    fn replicas(&self, after: Option<(String, i32)>, held: bool, limit: usize) -> Vec<ReplicaView> {
        let _ = (after, held, limit);
        Vec::new()
    }

    /// A cordoned broker gets no new replicas and gives its leaders away until it is uncordoned;
    /// answers what it still has. Idempotent.
    async fn cordon(&self, broker: BrokerId, cordoned: bool) -> Result<Holdings> {
        let _ = (broker, cordoned);
        Err(unplaced())
    }

    /// Takes a broker out of quorum and registry. An unknown one is as good as removed.
    ///
    /// `PolicyViolation`: it has replicas, or is alive and not cordoned.
    async fn remove_broker(&self, broker: BrokerId) -> Result<()> {
        let _ = broker;
        Err(unplaced())
    }

    /// Takes back `move_leaders_away`. Idempotent.
    async fn allow_leaders(&self, broker: BrokerId) -> Result<()> {
        let _ = broker;
        Err(unplaced())
    }

    /// This broker's data folder and the logs in it.
    fn log_dir(&self) -> Result<LogDir> {
        Err(unplaced())
    }
}

fn unplaced() -> Error {
    Error::Unsupported("this engine places no replicas".to_owned())
}

/// The answer of an engine that has none of it.
pub(crate) struct Nowhere;

impl Placement for Nowhere {}

/// Where one partition is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassign {
    pub topic: TopicRef,
    pub index: i32,
    /// In order of preference for leadership; `None`: back to the replicas from before.
    pub target: Option<Vec<BrokerId>>,
}

/// One partition, as who moves it must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaView {
    pub topic: String,
    pub topic_id: TopicId,
    pub internal: bool,
    pub partition: PartitionView,
    /// Never more than its replicas.
    pub min_isr: usize,
    /// Of the log that this broker holds itself.
    pub bytes: Option<u64>,
}

/// What a broker has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Partitions that it leads.
    pub leaders: u32,
    /// Partitions of which it has, gets or gives up a replica.
    pub replicas: u32,
}

/// A data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    pub path: String,
    /// Of the volume.
    pub total_bytes: u64,
    /// What may still be written there.
    pub usable_bytes: u64,
    pub logs: Vec<LogView>,
}

/// A partition's log in a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogView {
    pub topic: String,
    pub index: i32,
    pub bytes: u64,
    /// Committed records that are not here yet, as far as the broker knows.
    pub lag: i64,
}
