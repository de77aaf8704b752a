//! A cluster in memory: one log for each partition, metadata that a test changes, any number of
//! brokers with a coordinator each.

use async_trait::async_trait;
use bytes::Bytes;
use imbl::OrdMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;
use weir_api::{
    Caller, CommitOffset, CommittedOffset, Error, JoinRequest, JoinedGroup, Result, SyncRequest,
    TopicPartitionName,
};
use weir_core::cluster::{Broker, ClusterCommand, Image, Partition, Topic};
use weir_types::{
    BrokerEpoch, BrokerId, FolderId, LeaderEpoch, Millis, Offset, PartitionEpoch, PartitionId,
    TopicId,
};

use crate::group::{Groups, GroupsConfig, LogPage, LogRecord, OffsetsLog, topic::OFFSETS_TOPIC};

pub struct World {
    pub image: watch::Sender<Arc<Image>>,
    /// Appends wait while this is false.
    pub gate: watch::Sender<bool>,
    state: Mutex<State>,
    began: Instant,
}

#[derive(Default)]
struct State {
    logs: BTreeMap<PartitionId, Vec<LogRecord>>,
    starts: BTreeMap<PartitionId, i64>,
    append_error: Option<Error>,
    read_error: Option<Error>,
    appends: usize,
    proposals: Vec<ClusterCommand>,
    groups: BTreeMap<BrokerId, Groups>,
}

pub struct MemoryLog {
    world: Arc<World>,
    broker: BrokerId,
}

impl World {
    pub fn new(brokers: i32) -> Arc<Self> {
        let mut image = Image {
            cluster_id: "c".to_owned(),
            ..Image::default()
        };
        for id in 0..brokers {
            image.brokers.insert(BrokerId(id), Arc::new(broker(id)));
        }
        Arc::new(Self {
            image: watch::channel(Arc::new(image)).0,
            gate: watch::channel(true).0,
            state: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// With the offsets topic of four partitions, all led by broker 0, and the topic `t` of two.
    pub fn ready(brokers: i32) -> Arc<Self> {
        let world = Self::new(brokers);
        world.add_topic(OFFSETS_TOPIC, 4, BrokerId(0));
        world.add_topic("t", 2, BrokerId(0));
        world
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn start(self: &Arc<Self>, id: i32, config: GroupsConfig) -> Groups {
        let broker = BrokerId(id);
        let began = self.began;
        let clock = move || {
            let ms = i64::try_from(began.elapsed().as_millis()).expect("a short test");
            Millis(1_700_000_000_000 + ms)
        };
        let config = GroupsConfig {
            clock: Arc::new(clock),
            ..config
        };
        let log = MemoryLog {
            world: Arc::clone(self),
            broker,
        };
        let groups = Groups::over(Arc::new(log), config);
        self.state().groups.insert(broker, groups.clone());
        groups
    }

    pub fn change(&self, change: impl FnOnce(&mut Image)) {
        self.image.send_modify(|image| {
            let mut next = Image::clone(image);
            change(&mut next);
            next.version += 1;
            *image = Arc::new(next);
        });
    }

    pub fn add_topic(&self, name: &str, partitions: usize, leader: BrokerId) -> TopicId {
        let id = TopicId(Uuid::new_v4());
        let topic = Topic {
            id,
            name: name.to_owned(),
            internal: name == OFFSETS_TOPIC,
            partitions: vec![led_by(leader); partitions],
            config: OrdMap::new(),
            owner: None,
        };
        self.change(|image| {
            image.topics.insert(id, Arc::new(topic));
            image.topic_names.insert(name.to_owned(), id);
        });
        id
    }

    pub fn remove_topic(&self, name: &str) {
        self.change(|image| {
            let id = image.topic_names.remove(name).expect("it is there");
            image.topics.remove(&id);
        });
    }

    /// Another leader, under the next epoch, for every partition of the offsets topic.
    pub fn lead(&self, leader: Option<i32>) {
        self.change(|image| {
            let id = *image.topic_names.get(OFFSETS_TOPIC).expect("it is there");
            let mut topic = Topic::clone(image.topics.get(&id).expect("named"));
            for partition in &mut topic.partitions {
                partition.leader = leader.map(BrokerId);
                partition.leader_epoch.0 += 1;
            }
            image.topics.insert(id, Arc::new(topic));
        });
    }

    pub fn fail_appends(&self, error: Option<Error>) {
        self.state().append_error = error;
    }

    pub fn fail_reads(&self, error: Option<Error>) {
        self.state().read_error = error;
    }

    pub fn set_bounds(&self, id: PartitionId, start: i64, end: i64) {
        let mut state = self.state();
        state.starts.insert(id, start);
        let empty = LogRecord {
            key: Bytes::from_static(b"\x7f\xff"),
            value: None,
        };
        let len = usize::try_from(end).expect("not negative");
        state.logs.entry(id).or_default().resize(len, empty);
    }

    pub fn append_count(&self) -> usize {
        self.state().appends
    }

    pub fn proposals(&self) -> Vec<ClusterCommand> {
        self.state().proposals.clone()
    }

    /// All records of the offsets topic.
    pub fn records(&self) -> Vec<LogRecord> {
        let image = self.image.borrow().clone();
        let topic = image.topic_by_name(OFFSETS_TOPIC).expect("it is there").id;
        let state = self.state();
        let of =
            |(id, log): (&PartitionId, &Vec<LogRecord>)| (id.topic == topic).then(|| log.clone());
        state.logs.iter().filter_map(of).flatten().collect()
    }

    fn check_leader(&self, broker: BrokerId, id: PartitionId) -> Result<LeaderEpoch> {
        let image = self.image.borrow();
        let partition = image.partition(id).ok_or(Error::UnknownTopicOrPartition)?;
        let epoch = partition.leader_epoch;
        if partition.leader == Some(broker) {
            Ok(epoch)
        } else {
            Err(Error::NotLeader {
                leader: partition.leader,
                epoch,
            })
        }
    }
}

fn broker(id: i32) -> Broker {
    Broker {
        id: BrokerId(id),
        epoch: BrokerEpoch(1),
        folder: FolderId(Uuid::new_v4()),
        incarnation: Uuid::new_v4(),
        rack: None,
        peer_address: String::new(),
        listeners: Vec::new(),
        fenced: false,
        stopping: false,
    }
}

fn led_by(leader: BrokerId) -> Partition {
    Partition {
        replicas: vec![leader],
        isr: vec![leader],
        elr: Vec::new(),
        leader: Some(leader),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
        last_leader: None,
    }
}

#[async_trait]
impl OffsetsLog for MemoryLog {
    fn broker(&self) -> BrokerId {
        self.broker
    }

    fn metadata(&self) -> watch::Receiver<Arc<Image>> {
        self.world.image.subscribe()
    }

    async fn propose(&self, command: ClusterCommand) -> Result<()> {
        self.world.state().proposals.push(command.clone());
        if let ClusterCommand::CreateTopic(topic) = command {
            let partitions = usize::try_from(topic.partitions).expect("positive");
            self.world.add_topic(&topic.name, partitions, BrokerId(0));
        }
        Ok(())
    }

    async fn append(
        &self,
        partition: PartitionId,
        epoch: LeaderEpoch,
        records: Vec<LogRecord>,
    ) -> Result<()> {
        let mut gate = self.world.gate.subscribe();
        gate.wait_for(|open| *open).await.expect("the world lives");
        let current = self.world.check_leader(self.broker, partition)?;
        if current != epoch {
            return Err(Error::NotLeader {
                leader: Some(self.broker),
                epoch: current,
            });
        }
        let mut state = self.world.state();
        state.appends += 1;
        if let Some(error) = &state.append_error {
            return Err(error.clone());
        }
        state.logs.entry(partition).or_default().extend(records);
        Ok(())
    }

    async fn read(&self, partition: PartitionId, from: Offset) -> Result<LogPage> {
        self.world.check_leader(self.broker, partition)?;
        let state = self.world.state();
        if let Some(error) = &state.read_error {
            return Err(error.clone());
        }
        let empty = Vec::new();
        let log = state.logs.get(&partition).unwrap_or(&empty);
        let at = usize::try_from(from.0)
            .expect("not negative")
            .min(log.len());
        let records: Vec<LogRecord> = log[at..].iter().take(3).cloned().collect();
        let len = |n: usize| i64::try_from(n).expect("small");
        let next = Offset(len(at + records.len()));
        Ok(LogPage {
            records,
            next,
            high_watermark: Offset(len(log.len())),
        })
    }

    fn bounds(&self, partition: PartitionId) -> Option<(Offset, Offset)> {
        self.world.check_leader(self.broker, partition).ok()?;
        let state = self.world.state();
        let end = state.logs.get(&partition).map_or(0, Vec::len);
        let start = state.starts.get(&partition).copied().unwrap_or(0);
        Some((Offset(start), Offset(i64::try_from(end).expect("small"))))
    }

    async fn ask_committed(&self, broker: BrokerId, group: &str) -> Result<Vec<CommittedOffset>> {
        let other = self.world.state().groups.get(&broker).cloned();
        let other = other.ok_or(Error::CoordinatorNotAvailable)?;
        other.committed_offsets(&caller(), group, None).await
    }
}

pub fn caller() -> Caller {
    Caller {
        client_id: "client".to_owned(),
        ..Caller::internal()
    }
}

pub fn join_request(group: &str, member: &str) -> JoinRequest {
    JoinRequest {
        group: group.to_owned(),
        member: member.to_owned(),
        instance: None,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        // A subscription to the topic `t`.
        protocols: vec![(
            "range".to_owned(),
            Bytes::from_static(&[0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 0]),
        )],
        require_known_member: false,
        reason: None,
    }
}

pub fn sync_request(
    group: &str,
    joined: &JoinedGroup,
    assignments: &[(&str, &str)],
) -> SyncRequest {
    SyncRequest {
        group: group.to_owned(),
        generation: joined.generation,
        member: joined.member.clone(),
        instance: None,
        protocol_type: Some("consumer".to_owned()),
        protocol: Some("range".to_owned()),
        assignments: assignments
            .iter()
            .map(|(m, a)| ((*m).to_owned(), Bytes::copy_from_slice(a.as_bytes())))
            .collect(),
    }
}

pub fn at(topic: &str, index: i32) -> TopicPartitionName {
    TopicPartitionName {
        topic: topic.to_owned(),
        index,
    }
}

pub fn commit(topic: &str, index: i32, offset: i64) -> CommitOffset {
    CommitOffset {
        partition: at(topic, index),
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(3),
        metadata: "note".to_owned(),
    }
}

/// Commits by hand, as soon as the coordinator is there.
pub async fn commit_by_hand(groups: &Groups, group: &str, offset: CommitOffset) {
    let outcomes =
        eventually(|| groups.commit_offsets(&CALLER, group, -1, "", None, vec![offset.clone()]))
            .await;
    assert_eq!(outcomes, [Ok(())]);
}

/// A member alone in its group, assigned everything.
pub async fn join_alone(groups: &Groups, group: &str) -> JoinedGroup {
    let joined = eventually(|| groups.join_group(&CALLER, join_request(group, ""))).await;
    let assignments = [(joined.member.as_str(), "all")];
    let sync = sync_request(group, &joined, &assignments);
    groups.sync_group(&CALLER, sync).await.expect("synced");
    joined
}

pub async fn offset_of(groups: &Groups, group: &str, topic: &str, index: i32) -> i64 {
    let asked = vec![at(topic, index)];
    let found = eventually(|| groups.committed_offsets(&CALLER, group, Some(asked.clone()))).await;
    found[0].offset.0
}

/// Tries until the coordinator is there and has loaded, as a client does.
pub async fn eventually<T, F: Future<Output = Result<T>>>(mut call: impl FnMut() -> F) -> T {
    for _ in 0..500 {
        match call().await {
            Err(
                Error::NotCoordinator | Error::CoordinatorLoading | Error::CoordinatorNotAvailable,
            ) => tokio::time::sleep(Duration::from_millis(10)).await,
            other => return other.expect("the coordinator is there"),
        }
    }
    panic!("no coordinator came")
}

/// Waits until `what` holds.
pub async fn until(what: impl AsyncFn() -> bool) {
    for _ in 0..2_000 {
        if what().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came true")
}

pub static CALLER: std::sync::LazyLock<Caller> = std::sync::LazyLock::new(caller);
