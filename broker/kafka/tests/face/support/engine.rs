use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use weir_api::*;
use weir_types::*;

use super::fake::{FakeEngine, partition_view};

#[async_trait]
impl Engine for FakeEngine {
    fn broker(&self) -> BrokerId {
        BrokerId(1)
    }

    fn cluster(&self) -> ClusterView {
        let broker = |id: i32, port: u16| BrokerView {
            id: BrokerId(id),
            epoch: BrokerEpoch(1),
            rack: Some(format!("rack-{id}")),
            listeners: vec![ListenerView {
                name: "PLAIN".into(),
                host: "127.0.0.1".into(),
                port,
            }],
            fenced: self.alone && id == 2,
            stopping: false,
            voter: true,
        };
        let port = self.port.load(Ordering::Relaxed);
        ClusterView {
            cluster_id: "fake".into(),
            controller: Some(BrokerId(1)),
            version: 1,
            brokers: vec![broker(1, port), broker(2, 9)],
        }
    }

    fn topic(&self, topic: &TopicRef) -> Option<TopicView> {
        let state = self.state();
        let mut topics = state.topics.iter();
        let (name, id) = topics.find(|(name, id)| match topic {
            TopicRef::Name(wanted) => wanted == *name,
            TopicRef::Id(wanted) => wanted == *id,
        })?;
        let partition = |index| {
            let leader = if index == self.led_elsewhere { 2 } else { 1 };
            partition_view(index, leader)
        };
        let count = state.partitions.get(id).copied().unwrap_or(0);
        Some(TopicView {
            id: *id,
            name: name.clone(),
            internal: name.starts_with("__"),
            partitions: (0..count).map(partition).collect(),
            owner: None,
        })
    }

    fn topics(&self) -> Vec<TopicView> {
        let names: Vec<String> = self.state().topics.keys().cloned().collect();
        let names = names.into_iter().map(TopicRef::Name);
        names.filter_map(|name| self.topic(&name)).collect()
    }

    async fn await_version(&self, _: u64, _: Duration) -> Result<()> {
        Ok(())
    }

    async fn changed(&self, version: u64) -> u64 {
        version
    }

    async fn submit(&self, _: &Caller, request: ProduceRequest) -> Produced {
        let brought = request
            .partitions
            .iter()
            .flat_map(|p| p.records.to_vec())
            .collect();
        self.submitted
            .lock()
            .expect("no test panics in here")
            .push(brought);
        let results: Vec<_> = request.partitions.iter().map(|p| self.append(p)).collect();
        self.appended.notify_waiters();
        let acknowledgements = Arc::clone(&self.acknowledgements);
        Box::pin(async move {
            acknowledgements
                .acquire()
                .await
                .expect("it is never closed")
                .forget();
            results
        })
    }

    async fn fetch(&self, _: &Caller, request: FetchRequest) -> Vec<FetchedPartition> {
        self.fetches_begun.fetch_add(1, Ordering::SeqCst);
        let deadline = tokio::time::Instant::now() + request.max_wait;
        loop {
            let appended = self.appended.notified();
            let got: Vec<_> = request
                .partitions
                .iter()
                .map(|ask| self.read(ask))
                .collect();
            let bytes: usize = got.iter().map(|g| g.records.len()).sum();
            if bytes >= request.min_bytes || got.iter().any(|g| g.error.is_some()) {
                return got;
            }
            if tokio::time::timeout_at(deadline, appended).await.is_err() {
                return got;
            }
        }
    }

    async fn find_offset(
        &self,
        _: &Caller,
        topic: &TopicRef,
        index: i32,
        _: LeaderEpoch,
        spec: OffsetSpec,
        _: Isolation,
    ) -> Result<FoundOffset> {
        let key = self.find(topic, index)?;
        let state = self.state();
        let log = state.logs.get(&key).ok_or(Error::UnknownTopicOrPartition)?;
        let offset = match spec {
            OffsetSpec::Earliest | OffsetSpec::EarliestLocal => log.start,
            OffsetSpec::Latest => log.end,
            OffsetSpec::Timestamp(ts) => ts.min(log.end),
            OffsetSpec::MaxTimestamp | OffsetSpec::LatestTiered => -1,
        };
        let leader_epoch = LeaderEpoch(7);
        Ok(FoundOffset {
            offset: Offset(offset),
            timestamp_ms: -1,
            leader_epoch,
        })
    }

    async fn epoch_end(
        &self,
        _: &Caller,
        topic: &TopicRef,
        index: i32,
        _: LeaderEpoch,
        epoch: LeaderEpoch,
    ) -> Result<EpochEnd> {
        self.find(topic, index)?;
        Ok(EpochEnd {
            leader_epoch: epoch,
            end_offset: Offset(3),
        })
    }

    async fn delete_records(
        &self,
        _: &Caller,
        topic: &TopicRef,
        index: i32,
        before: Offset,
        _: Duration,
    ) -> Result<Offset> {
        self.gate().await;
        let key = self.find(topic, index)?;
        let mut state = self.state();
        let log = state
            .logs
            .get_mut(&key)
            .ok_or(Error::UnknownTopicOrPartition)?;
        log.start = if before.0 == -1 { log.end } else { before.0 };
        Ok(Offset(log.start))
    }

    async fn init_producer(
        &self,
        _: &Caller,
        _: Option<&str>,
        current: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch)> {
        let (id, epoch) = current.unwrap_or((ProducerId(5), ProducerEpoch(-1)));
        Ok((id, ProducerEpoch(epoch.0 + 1)))
    }

    async fn create_topic(
        &self,
        _: &Caller,
        topic: NewTopic,
        validate_only: bool,
        _: Duration,
    ) -> Result<TopicView> {
        self.gate().await;
        let reference = TopicRef::Name(topic.name.clone());
        if self.topic(&reference).is_some() {
            return Err(Error::TopicExists);
        }
        let assigned = topic
            .assignments
            .map_or(topic.partitions, |a| a.len() as i32);
        self.add_topic(&topic.name, if assigned < 0 { 1 } else { assigned });
        self.state().configs.extend(topic.config);
        let view = self
            .topic(&reference)
            .ok_or(Error::UnknownTopicOrPartition)?;
        if validate_only {
            self.state().topics.remove(&topic.name);
        }
        Ok(view)
    }

    async fn auto_create_topic(&self, _: &Caller, name: &str) -> Result<TopicView> {
        self.add_topic(name, 1);
        self.topic(&TopicRef::Name(name.to_owned()))
            .ok_or(Error::UnknownTopicOrPartition)
    }

    async fn delete_topic(&self, _: &Caller, topic: &TopicRef, _: Duration) -> Result<()> {
        let view = self.topic(topic).ok_or(Error::UnknownTopicOrPartition)?;
        self.state().topics.remove(&view.name);
        Ok(())
    }

    async fn create_partitions(
        &self,
        _: &Caller,
        topic: &TopicRef,
        count: i32,
        _: Option<Vec<Vec<BrokerId>>>,
        _: bool,
        _: Duration,
    ) -> Result<()> {
        let view = self.topic(topic).ok_or(Error::UnknownTopicOrPartition)?;
        if count as usize <= view.partitions.len() {
            return Err(Error::InvalidPartitions("fewer than there are".into()));
        }
        self.state().partitions.insert(view.id, count);
        Ok(())
    }

    async fn set_topic_owner(&self, _: &TopicRef, _: Option<TopicOwner>) -> Result<()> {
        Ok(())
    }

    async fn describe_config(&self, _: &Caller, _: &ConfigTarget) -> Result<Vec<ConfigEntry>> {
        let state = self.state();
        let entry = |(name, value): (&String, &String)| ConfigEntry {
            name: name.clone(),
            value: value.clone(),
            source: ConfigSource::DynamicTopic,
            read_only: false,
            value_type: 2,
            documentation: "what it does",
        };
        Ok(state.configs.iter().map(entry).collect())
    }

    async fn alter_config(&self, _: &Caller, change: AlterConfig, _: bool) -> Result<()> {
        let mut state = self.state();
        for op in change.ops {
            match op {
                ConfigOp::Set(name, value) => drop(state.configs.insert(name, value)),
                ConfigOp::Delete(name) => drop(state.configs.remove(&name)),
                ConfigOp::Append(..) | ConfigOp::Subtract(..) => {
                    return Err(Error::InvalidConfig("no list".into()));
                }
            }
        }
        Ok(())
    }

    async fn elect_preferred(&self, asked: Option<Vec<(TopicRef, i32)>>) -> Result<u32> {
        self.elect(asked)
    }

    async fn find_coordinator(&self, _: &Caller, group: &str) -> Result<BrokerId> {
        Ok(BrokerId(if group == "far" { 3 } else { 1 }))
    }

    async fn join_group(&self, _: &Caller, request: JoinRequest) -> Result<JoinedGroup> {
        if request.member.is_empty() && request.require_known_member {
            return Err(Error::MemberIdRequired("member-1".into()));
        }
        let (protocol, metadata) = request
            .protocols
            .first()
            .cloned()
            .ok_or(Error::InconsistentGroupProtocol)?;
        let mut state = self.state();
        state.generation += 1;
        let member = if request.member.is_empty() {
            "member-1".into()
        } else {
            request.member
        };
        let instance = request.instance;
        Ok(JoinedGroup {
            generation: state.generation,
            protocol_type: request.protocol_type,
            protocol,
            leader: member.clone(),
            member: member.clone(),
            skip_assignment: false,
            members: vec![JoinedMember {
                member,
                instance,
                metadata,
            }],
        })
    }

    async fn sync_group(&self, _: &Caller, request: SyncRequest) -> Result<SyncedGroup> {
        let mut state = self.state();
        if let Some((_, assignment)) = request.assignments.first() {
            state.assignment = assignment.clone();
        }
        Ok(SyncedGroup {
            protocol_type: request.protocol_type.unwrap_or_default(),
            protocol: request.protocol.unwrap_or_default(),
            assignment: state.assignment.clone(),
        })
    }

    async fn heartbeat(
        &self,
        _: &Caller,
        _: &str,
        generation: i32,
        _: &str,
        _: Option<&str>,
    ) -> Result<()> {
        match generation == self.state().generation {
            true => Ok(()),
            false => Err(Error::IllegalGeneration),
        }
    }

    async fn leave_group(
        &self,
        _: &Caller,
        _: &str,
        members: Vec<LeaveMember>,
    ) -> Result<Vec<Result<()>>> {
        let known = |m: &LeaveMember| match m.member == "member-1" {
            true => Ok(()),
            false => Err(Error::UnknownMember),
        };
        Ok(members.iter().map(known).collect())
    }

    async fn commit_offsets(
        &self,
        _: &Caller,
        _: &str,
        _: i32,
        _: &str,
        _: Option<&str>,
        offsets: Vec<CommitOffset>,
    ) -> Result<Vec<Result<()>>> {
        Ok(self.commit(offsets))
    }

    async fn committed_offsets(
        &self,
        _: &Caller,
        _: &str,
        partitions: Option<Vec<TopicPartitionName>>,
    ) -> Result<Vec<CommittedOffset>> {
        let state = self.state();
        let wanted = partitions.unwrap_or_else(|| state.offsets.keys().cloned().collect());
        let get = |partition: TopicPartitionName| CommittedOffset {
            offset: Offset(state.offsets.get(&partition).copied().unwrap_or(-1)),
            partition,
            leader_epoch: LeaderEpoch(-1),
            metadata: String::new(),
        };
        Ok(wanted.into_iter().map(get).collect())
    }

    async fn list_groups(&self, _: &Caller) -> Result<Vec<GroupListing>> {
        let listing = |group: &str, state| GroupListing {
            group: group.into(),
            protocol_type: "consumer".into(),
            state,
        };
        Ok(vec![listing("busy", "Stable"), listing("idle", "Empty")])
    }

    async fn describe_group(&self, _: &Caller, group: &str) -> Result<GroupDescription> {
        if group != "busy" {
            return Err(Error::GroupIdNotFound);
        }
        Ok(GroupDescription {
            group: group.into(),
            state: "Stable",
            protocol_type: "consumer".into(),
            protocol: "range".into(),
            members: vec![],
        })
    }

    async fn delete_group(&self, _: &Caller, group: &str) -> Result<()> {
        let idle = group != "busy";
        idle.then_some(()).ok_or(Error::NonEmptyGroup)
    }

    async fn delete_offsets(
        &self,
        _: &Caller,
        _: &str,
        partitions: Vec<TopicPartitionName>,
    ) -> Result<Vec<Result<()>>> {
        let known = |p: TopicPartitionName| (p.index == 0).then_some(());
        let delete = |p| known(p).ok_or(Error::GroupSubscribedToTopic);
        Ok(partitions.into_iter().map(delete).collect())
    }

    async fn group_lag(&self, _: &Caller, _: &str) -> Result<BTreeMap<TopicPartitionName, i64>> {
        Ok(BTreeMap::new())
    }

    async fn form(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn restart_blockers(&self, _: BrokerId) -> Result<Vec<RestartBlocker>> {
        Ok(vec![])
    }

    async fn move_leaders_away(&self, _: BrokerId) -> Result<u32> {
        Ok(0)
    }

    async fn out_of_sync(&self, _: BrokerId) -> Result<u32> {
        Ok(0)
    }

    async fn set_listeners(&self, _: BrokerId, _: Vec<ListenerView>) -> Result<()> {
        Ok(())
    }

    fn placement(&self) -> &dyn Placement {
        self
    }

    async fn unregister(&self, _: BrokerId) -> Result<()> {
        Ok(())
    }
}
