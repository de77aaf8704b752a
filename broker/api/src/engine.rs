use async_trait::async_trait;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use weir_types::{BrokerId, LeaderEpoch, Offset, OperatorEpoch, ProducerEpoch, ProducerId};

use crate::{
    AlterConfig, Appended, BacklogWatch, Caller, ClusterView, CommitOffset, CommittedOffset,
    ConfigEntry, ConfigTarget, EpochEnd, Error, FetchRequest, FetchedPartition, FoundOffset,
    GroupDescription, GroupListing, Isolation, JoinRequest, JoinedGroup, LeaveMember, ListenerView,
    NewTopic, OffsetSpec, ProduceRequest, Produced, ReadRecords, Record, RestartBlocker, Result,
    SyncRequest, SyncedGroup, TopicOwner, TopicPartitionName, TopicRef, TopicView,
    placement::{Nowhere, Placement},
};

/// Everything that a client, or the operator, can ask of a broker.
///
/// Calls may come from any task at once. Dropping a future gives up the wait; what it had begun
/// may still take effect. Vectors in answers follow the order of those in the request.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    // --- metadata -------------------------------------------------------------------------

    /// This broker.
    fn broker(&self) -> BrokerId;
    /// As far as this broker has followed the metadata.
    fn cluster(&self) -> ClusterView;
    /// `None`: there is no such topic.
    fn topic(&self, topic: &TopicRef) -> Option<TopicView>;
    /// In order of name, internal ones included.
    fn topics(&self) -> Vec<TopicView>;
    /// Waits until this broker has applied `version` of the metadata; `TimedOut` otherwise.
    async fn await_version(&self, version: u64, timeout: Duration) -> Result<()>;
    /// Resolves when the metadata has moved past `version`.
    async fn changed(&self, version: u64) -> u64;

    // --- data -----------------------------------------------------------------------------

    /// Hands the records over to the partitions' writers and returns once they are in line
    /// (waiting first where the broker's byte budget is used up): requests of one connection
    /// submitted one after another are appended in that order. The [`Produced`] future waits for
    /// the acknowledgement.
    async fn submit(&self, caller: &Caller, request: ProduceRequest) -> Produced;
    /// Waits until `min_bytes` are there, an error is, or `max_wait` is over.
    async fn fetch(&self, caller: &Caller, request: FetchRequest) -> Vec<FetchedPartition>;
    /// Writes records that are not in Kafka's format yet, with acks=all.
    async fn append_records(
        &self,
        caller: &Caller,
        topic: &TopicRef,
        index: i32,
        records: Vec<Record>,
    ) -> Result<Appended> {
        let _ = (caller, topic, index, records);
        Err(Error::Unsupported(
            "this engine takes record batches only".to_owned(),
        ))
    }
    /// Reads and decodes records from `from` up to the high watermark; waits up to `max_wait` for
    /// the first. At most about `max_bytes` of the log, one batch at least.
    async fn read_records(
        &self,
        caller: &Caller,
        topic: &TopicRef,
        index: i32,
        from: Offset,
        max_bytes: usize,
        max_wait: Duration,
    ) -> Result<ReadRecords> {
        let _ = (caller, topic, index, from, max_bytes, max_wait);
        Err(Error::Unsupported(
            "this engine gives record batches only".to_owned(),
        ))
    }
    async fn find_offset(
        &self,
        caller: &Caller,
        topic: &TopicRef,
        index: i32,
        leader_epoch: LeaderEpoch,
        spec: OffsetSpec,
        isolation: Isolation,
    ) -> Result<FoundOffset>;
    async fn epoch_end(
        &self,
        caller: &Caller,
        topic: &TopicRef,
        index: i32,
        current_leader_epoch: LeaderEpoch,
        epoch: LeaderEpoch,
    ) -> Result<EpochEnd>;
    /// Moves the log's start up to `before` (exclusive; -1 is the high watermark) on all live
    /// replicas; answers the new start.
    async fn delete_records(
        &self,
        caller: &Caller,
        topic: &TopicRef,
        index: i32,
        before: Offset,
        timeout: Duration,
    ) -> Result<Offset>;
    /// A fresh idempotent producer, or the next epoch of a known one (KIP-360).
    async fn init_producer(
        &self,
        caller: &Caller,
        transactional_id: Option<&str>,
        current: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch)>;

    // --- topics and configs ---------------------------------------------------------------

    /// Creates a topic and waits until this broker knows it. With `validate_only` only checks.
    async fn create_topic(
        &self,
        caller: &Caller,
        topic: NewTopic,
        validate_only: bool,
        timeout: Duration,
    ) -> Result<TopicView>;
    /// First use by a client, where the broker creates topics by itself.
    async fn auto_create_topic(&self, caller: &Caller, name: &str) -> Result<TopicView>;
    async fn delete_topic(
        &self,
        caller: &Caller,
        topic: &TopicRef,
        timeout: Duration,
    ) -> Result<()>;
    /// Grows the topic to `count` partitions.
    async fn create_partitions(
        &self,
        caller: &Caller,
        topic: &TopicRef,
        count: i32,
        assignments: Option<Vec<Vec<BrokerId>>>,
        validate_only: bool,
        timeout: Duration,
    ) -> Result<()>;
    async fn set_topic_owner(&self, topic: &TopicRef, owner: Option<TopicOwner>) -> Result<()>;
    /// All configs that the resource has, defaults included, in order of name.
    async fn describe_config(
        &self,
        caller: &Caller,
        target: &ConfigTarget,
    ) -> Result<Vec<ConfigEntry>>;
    async fn alter_config(
        &self,
        caller: &Caller,
        change: AlterConfig,
        validate_only: bool,
    ) -> Result<()>;
    /// Gives leadership back to the preferred replicas; all partitions for `None`. Answers how
    /// many leaders changed.
    async fn elect_preferred(&self, partitions: Option<Vec<(TopicRef, i32)>>) -> Result<u32>;

    // --- groups ---------------------------------------------------------------------------

    /// Which broker coordinates the group; creates `__consumer_offsets` on first use.
    async fn find_coordinator(&self, caller: &Caller, group: &str) -> Result<BrokerId>;
    async fn join_group(&self, caller: &Caller, request: JoinRequest) -> Result<JoinedGroup>;
    async fn sync_group(&self, caller: &Caller, request: SyncRequest) -> Result<SyncedGroup>;
    async fn heartbeat(
        &self,
        caller: &Caller,
        group: &str,
        generation: i32,
        member: &str,
        instance: Option<&str>,
    ) -> Result<()>;
    async fn leave_group(
        &self,
        caller: &Caller,
        group: &str,
        members: Vec<LeaveMember>,
    ) -> Result<Vec<Result<()>>>;
    /// `generation` -1 and an empty member: a consumer that assigns by hand.
    async fn commit_offsets(
        &self,
        caller: &Caller,
        group: &str,
        generation: i32,
        member: &str,
        instance: Option<&str>,
        offsets: Vec<CommitOffset>,
    ) -> Result<Vec<Result<()>>>;
    /// `None`: every partition with a committed offset.
    async fn committed_offsets(
        &self,
        caller: &Caller,
        group: &str,
        partitions: Option<Vec<TopicPartitionName>>,
    ) -> Result<Vec<CommittedOffset>>;
    /// Groups that this broker coordinates.
    async fn list_groups(&self, caller: &Caller) -> Result<Vec<GroupListing>>;
    async fn describe_group(&self, caller: &Caller, group: &str) -> Result<GroupDescription>;
    async fn delete_group(&self, caller: &Caller, group: &str) -> Result<()>;
    /// Deletes committed offsets of a group (OffsetDelete).
    async fn delete_offsets(
        &self,
        caller: &Caller,
        group: &str,
        partitions: Vec<TopicPartitionName>,
    ) -> Result<Vec<Result<()>>>;
    /// Lag of a group on the partitions whose leader this broker is, clamped to log start.
    async fn group_lag(
        &self,
        caller: &Caller,
        group: &str,
    ) -> Result<BTreeMap<TopicPartitionName, i64>>;
    /// Begins to observe what groups have still to consume, on whichever brokers that is known.
    /// With `keep_offsets` the committed offsets of the groups it asks about do not expire while
    /// it asks.
    fn watch_backlog(&self, keep_offsets: bool) -> Result<Box<dyn BacklogWatch>> {
        let _ = keep_offsets;
        Err(Error::Unsupported(
            "this engine does not watch backlogs".to_owned(),
        ))
    }

    // --- the operator's questions ------------------------------------------------------------

    /// The latest operator that this broker knows to be heard; 0: none was.
    fn operator_epoch(&self) -> OperatorEpoch {
        OperatorEpoch(0)
    }
    /// This engine in the hand of an operator: once an operator was heard, what it changes from
    /// then on is refused with `StaleOperator` if a later one is heard by then. `None`: it knows
    /// no operators, and takes changes from whomever.
    fn as_operator(&self, epoch: OperatorEpoch) -> Option<Arc<dyn Engine>> {
        let _ = epoch;
        None
    }
    /// Hears an operator, which ends the time of those before it; `StaleOperator` if a later one
    /// was heard. `force` sets any epoch.
    async fn set_operator_epoch(&self, epoch: OperatorEpoch, force: bool) -> Result<()> {
        let _ = (epoch, force);
        Err(Error::Unsupported(
            "this engine knows no operators".to_owned(),
        ))
    }
    /// First quorum: this broker becomes the sole voter of a new cluster. The same id again is
    /// fine; another one is refused.
    async fn form(&self, cluster_id: &str) -> Result<()>;
    /// What would be lost if `broker` stopped now; empty: nothing. An error means: do not stop it.
    async fn restart_blockers(&self, broker: BrokerId) -> Result<Vec<RestartBlocker>>;
    /// Moves every leader away from `broker` until it registers again; how many are left.
    async fn move_leaders_away(&self, broker: BrokerId) -> Result<u32>;
    /// Partitions of which `broker` has a replica that is not in sync (0: caught up).
    async fn out_of_sync(&self, broker: BrokerId) -> Result<u32>;
    /// Replaces the advertised addresses of a broker's listeners of these names.
    async fn set_listeners(&self, broker: BrokerId, listeners: Vec<ListenerView>) -> Result<()>;
    /// Where replicas lie and go.
    fn placement(&self) -> &dyn Placement {
        &Nowhere
    }
    /// Forgets a broker that will not come back.
    async fn unregister(&self, broker: BrokerId) -> Result<()>;
}
