//! A cluster in memory: one log for each partition, metadata that a test changes, any number of
//! brokers with a coordinator each.

use bytes::Bytes;
use imbl::OrdMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;
use weir_api::{Error, Result};
use weir_core::cluster::{Broker, ClusterCommand, Image, Partition, Topic};
use weir_types::{
    BrokerEpoch, BrokerId, FolderId, LeaderEpoch, Millis, PartitionEpoch, PartitionId, TopicId,
};

mod log;

pub use super::requests::*;
use crate::group::{Groups, GroupsConfig, LogRecord, topic::OFFSETS_TOPIC};
use log::MemoryLog;

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
    /// Brokers that do not answer the questions of others.
    silent: BTreeSet<BrokerId>,
    /// Questions about backlogs that each broker was asked by others.
    questions: BTreeMap<BrokerId, usize>,
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

    pub fn silence(&self, broker: i32, silent: bool) {
        let mut state = self.state();
        if silent {
            state.silent.insert(BrokerId(broker));
        } else {
            state.silent.remove(&BrokerId(broker));
        }
    }

    pub fn questions_to(&self, broker: i32) -> usize {
        let state = self.state();
        state.questions.get(&BrokerId(broker)).copied().unwrap_or(0)
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
