//! The engine as faces see it: one `impl Engine`, its work in the rooms beside it.

mod answers;
mod configs;
mod errors;
mod forming;
mod local;
mod operations;
mod placement;
mod producers;
mod records;
mod topics;
mod views;
mod writes;

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use weir_api::{
    AlterConfig, Appended, BacklogWatch, Caller, ClusterView, CommitOffset, CommittedOffset,
    ConfigEntry, ConfigTarget, Engine, EpochEnd, Error, FetchRequest, FetchedPartition,
    FoundOffset, GroupDescription, GroupListing, Isolation, JoinRequest, JoinedGroup, LeaveMember,
    ListenerView, NewTopic, OffsetSpec, Placement, ProduceRequest, Produced, ReadRecords, Record,
    RestartBlocker, Result, SyncRequest, SyncedGroup, TopicOwner, TopicPartitionName, TopicRef,
    TopicView,
};
use weir_core::cluster::{ClusterCommand, Image};
use weir_types::{BrokerId, LeaderEpoch, Offset, OperatorEpoch, ProducerEpoch, ProducerId};

pub use local::LocalEngine;

#[async_trait]
impl Engine for LocalEngine {
    fn broker(&self) -> BrokerId {
        self.me
    }

    fn cluster(&self) -> ClusterView {
        views::cluster(&self.quorum)
    }

    fn topic(&self, topic: &TopicRef) -> Option<TopicView> {
        let image = self.image();
        views::find(&image, topic).map(|t| views::topic(&image, t))
    }

    fn topics(&self) -> Vec<TopicView> {
        let image = self.image();
        let ids = image.topic_names.values();
        ids.filter_map(|id| image.topics.get(id))
            .map(|t| views::topic(&image, t))
            .collect()
    }

    async fn await_version(&self, version: u64, timeout: Duration) -> Result<()> {
        self.await_image(timeout, |image| image.version >= version)
            .await
            .map(drop)
    }

    async fn changed(&self, version: u64) -> u64 {
        let mut images = self.quorum.subscribe();
        let newer = |image: &Arc<Image>| image.version > version;
        let moved = images.wait_for(newer).await.map(|i| i.version);
        match moved {
            Ok(version) => version,
            // The quorum stopped: nothing will ever change again.
            Err(_) => std::future::pending().await,
        }
    }

    async fn submit(&self, _caller: &Caller, request: ProduceRequest) -> Produced {
        self.submit_for_client(request).await
    }

    async fn fetch(&self, _caller: &Caller, request: FetchRequest) -> Vec<FetchedPartition> {
        self.partitions.fetch(request).await
    }

    async fn append_records(
        &self,
        _caller: &Caller,
        topic: &TopicRef,
        index: i32,
        records: Vec<Record>,
    ) -> Result<Appended> {
        self.write_records(topic, index, records).await
    }

    async fn read_records(
        &self,
        _caller: &Caller,
        topic: &TopicRef,
        index: i32,
        from: Offset,
        max_bytes: usize,
        max_wait: Duration,
    ) -> Result<ReadRecords> {
        let at = records::At {
            topic: topic.clone(),
            index,
            from,
        };
        self.fetch_records(at, max_bytes, max_wait).await
    }

    async fn find_offset(
        &self,
        _caller: &Caller,
        topic: &TopicRef,
        index: i32,
        leader_epoch: LeaderEpoch,
        spec: OffsetSpec,
        _isolation: Isolation,
    ) -> Result<FoundOffset> {
        self.partitions
            .find_offset(topic, index, leader_epoch, spec)
            .await
    }

    async fn epoch_end(
        &self,
        _caller: &Caller,
        topic: &TopicRef,
        index: i32,
        current_leader_epoch: LeaderEpoch,
        epoch: LeaderEpoch,
    ) -> Result<EpochEnd> {
        self.partitions
            .epoch_end(topic, index, current_leader_epoch, epoch)
            .await
    }

    async fn delete_records(
        &self,
        _caller: &Caller,
        topic: &TopicRef,
        index: i32,
        before: Offset,
        timeout: Duration,
    ) -> Result<Offset> {
        self.partitions
            .delete_records(topic, index, before, timeout)
            .await
    }

    async fn init_producer(
        &self,
        _caller: &Caller,
        transactional_id: Option<&str>,
        _current: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch)> {
        if transactional_id.is_some() {
            return Err(Error::Unsupported("transactions".to_owned()));
        }
        // As Kafka does: without a transactional id, every call gets an id of its own.
        Ok((self.producers.next().await?, ProducerEpoch(0)))
    }

    async fn create_topic(
        &self,
        _caller: &Caller,
        topic: NewTopic,
        validate_only: bool,
        timeout: Duration,
    ) -> Result<TopicView> {
        self.make_topic(topic, validate_only, timeout).await
    }

    async fn auto_create_topic(&self, caller: &Caller, name: &str) -> Result<TopicView> {
        self.make_topic_on_use(caller, name).await
    }

    async fn delete_topic(
        &self,
        _caller: &Caller,
        topic: &TopicRef,
        timeout: Duration,
    ) -> Result<()> {
        self.remove_topic(topic, timeout).await
    }

    async fn create_partitions(
        &self,
        _caller: &Caller,
        topic: &TopicRef,
        count: i32,
        assignments: Option<Vec<Vec<BrokerId>>>,
        validate_only: bool,
        timeout: Duration,
    ) -> Result<()> {
        let growth = topics::Growth {
            count,
            assignments,
            validate_only,
        };
        self.grow_topic(topic, growth, timeout).await
    }

    async fn set_topic_owner(&self, topic: &TopicRef, owner: Option<TopicOwner>) -> Result<()> {
        let topic = self.topic_id(topic)?;
        let owner = owner.map(views::owner_in);
        self.propose(ClusterCommand::SetTopicOwner { topic, owner })
            .await
            .map(drop)
    }

    async fn describe_config(
        &self,
        _caller: &Caller,
        target: &ConfigTarget,
    ) -> Result<Vec<ConfigEntry>> {
        configs::describe(&self.image(), target)
    }

    async fn alter_config(
        &self,
        _caller: &Caller,
        change: AlterConfig,
        validate_only: bool,
    ) -> Result<()> {
        let resource = configs::resource(&self.image(), &change.target)?;
        let ops = change.ops.into_iter().map(configs::op).collect();
        self.propose(ClusterCommand::AlterConfig {
            resource,
            ops,
            validate_only,
        })
        .await
        .map(drop)
    }

    async fn elect_preferred(&self, partitions: Option<Vec<(TopicRef, i32)>>) -> Result<u32> {
        self.give_back_leaders(partitions).await
    }

    async fn find_coordinator(&self, caller: &Caller, group: &str) -> Result<BrokerId> {
        self.groups.find_coordinator(caller, group).await
    }

    async fn join_group(&self, caller: &Caller, request: JoinRequest) -> Result<JoinedGroup> {
        self.groups.join_group(caller, request).await
    }

    async fn sync_group(&self, caller: &Caller, request: SyncRequest) -> Result<SyncedGroup> {
        self.groups.sync_group(caller, request).await
    }

    async fn heartbeat(
        &self,
        caller: &Caller,
        group: &str,
        generation: i32,
        member: &str,
        instance: Option<&str>,
    ) -> Result<()> {
        self.groups
            .heartbeat(caller, group, generation, member, instance)
            .await
    }

    async fn leave_group(
        &self,
        caller: &Caller,
        group: &str,
        members: Vec<LeaveMember>,
    ) -> Result<Vec<Result<()>>> {
        self.groups.leave_group(caller, group, members).await
    }

    async fn commit_offsets(
        &self,
        caller: &Caller,
        group: &str,
        generation: i32,
        member: &str,
        instance: Option<&str>,
        offsets: Vec<CommitOffset>,
    ) -> Result<Vec<Result<()>>> {
        self.groups
            .commit_offsets(caller, group, generation, member, instance, offsets)
            .await
    }

    async fn committed_offsets(
        &self,
        caller: &Caller,
        group: &str,
        partitions: Option<Vec<TopicPartitionName>>,
    ) -> Result<Vec<CommittedOffset>> {
        self.groups
            .committed_offsets(caller, group, partitions)
            .await
    }

    async fn list_groups(&self, caller: &Caller) -> Result<Vec<GroupListing>> {
        self.groups.list_groups(caller).await
    }

    async fn describe_group(&self, caller: &Caller, group: &str) -> Result<GroupDescription> {
        self.groups.describe_group(caller, group).await
    }

    async fn delete_group(&self, caller: &Caller, group: &str) -> Result<()> {
        self.groups.delete_group(caller, group).await
    }

    async fn delete_offsets(
        &self,
        caller: &Caller,
        group: &str,
        partitions: Vec<TopicPartitionName>,
    ) -> Result<Vec<Result<()>>> {
        self.groups.delete_offsets(caller, group, partitions).await
    }

    async fn group_lag(
        &self,
        caller: &Caller,
        group: &str,
    ) -> Result<BTreeMap<TopicPartitionName, i64>> {
        self.groups.group_lag(caller, group).await
    }

    fn watch_backlog(&self, keep_offsets: bool) -> Result<Box<dyn BacklogWatch>> {
        Ok(self.groups.watch_backlog(keep_offsets))
    }

    fn operator_epoch(&self) -> OperatorEpoch {
        self.image().operator_epoch
    }

    fn as_operator(&self, epoch: OperatorEpoch) -> Option<Arc<dyn Engine>> {
        Some(Arc::new(self.held_by(epoch)))
    }

    async fn set_operator_epoch(&self, epoch: OperatorEpoch, force: bool) -> Result<()> {
        self.propose(ClusterCommand::SetOperatorEpoch { epoch, force })
            .await
            .map(drop)
    }

    async fn form(&self, cluster_id: &str) -> Result<()> {
        self.form_cluster(cluster_id).await
    }

    async fn restart_blockers(&self, broker: BrokerId) -> Result<Vec<RestartBlocker>> {
        self.check_restart(broker)
    }

    async fn move_leaders_away(&self, broker: BrokerId) -> Result<u32> {
        self.hand_off(broker).await
    }

    async fn out_of_sync(&self, broker: BrokerId) -> Result<u32> {
        Ok(operations::out_of_sync(&self.image(), broker))
    }

    async fn set_listeners(&self, broker: BrokerId, listeners: Vec<ListenerView>) -> Result<()> {
        let listeners = listeners.into_iter().map(views::listener_in).collect();
        self.propose(ClusterCommand::SetListeners { broker, listeners })
            .await
            .map(drop)
    }

    fn placement(&self) -> &dyn Placement {
        self
    }

    async fn unregister(&self, broker: BrokerId) -> Result<()> {
        self.propose(ClusterCommand::UnregisterBroker { broker })
            .await
            .map(drop)
    }
}
