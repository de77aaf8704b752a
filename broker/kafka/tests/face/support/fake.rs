use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
};
use tokio::sync::{Barrier, Notify, Semaphore};
use uuid::Uuid;
use weir_api::*;
use weir_types::*;

use super::log::{FakeLog, in_file};

/// Where fetched records lie.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Memory,
    File,
    ColdFile,
}

/// Broker 1 of a cluster of brokers 1 (which leads all) and 2.
pub struct FakeEngine {
    pub place: Place,
    /// Answers to acknowledged writes wait for a permit each.
    pub acknowledgements: Arc<Semaphore>,
    /// What each submit brought, in order.
    pub submitted: Mutex<Vec<Vec<u8>>>,
    /// Partitions of this index are led by broker 2.
    pub led_elsewhere: i32,
    pub fetches_begun: AtomicU64,
    /// Makers of topics and deleters of records wait until so many are here.
    pub meeting: Option<Barrier>,
    /// What each election was asked for.
    pub elections: Mutex<Vec<Vec<i32>>>,
    /// Most leaders that one election changes.
    pub elects_max: usize,
    /// Broker 2 is fenced.
    pub alone: bool,
    pub port: AtomicU16,
    pub state: Mutex<State>,
    pub appended: Notify,
}

#[derive(Default)]
pub struct State {
    pub topics: BTreeMap<String, TopicId>,
    pub logs: HashMap<(TopicId, i32), FakeLog>,
    pub partitions: HashMap<TopicId, i32>,
    pub configs: BTreeMap<String, String>,
    pub offsets: BTreeMap<TopicPartitionName, i64>,
    /// Of the last commit.
    pub retention_ms: Option<i64>,
    pub assignment: bytes::Bytes,
    pub generation: i32,
}

impl Default for FakeEngine {
    fn default() -> Self {
        Self {
            place: Place::Memory,
            acknowledgements: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS / 2)),
            submitted: Mutex::default(),
            led_elsewhere: 1000,
            fetches_begun: AtomicU64::new(0),
            meeting: None,
            elections: Mutex::default(),
            elects_max: usize::MAX,
            alone: false,
            port: AtomicU16::new(0),
            state: Mutex::default(),
            appended: Notify::new(),
        }
    }
}

impl FakeEngine {
    pub fn set_port(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    pub fn add_topic(&self, name: &str, partitions: i32) -> TopicId {
        let id = TopicId(Uuid::new_v4());
        let mut state = self.state();
        state.topics.insert(name.to_owned(), id);
        state.partitions.insert(id, partitions);
        for index in 0..partitions {
            state.logs.insert((id, index), FakeLog::default());
        }
        id
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics in here")
    }

    pub fn find(&self, topic: &TopicRef, index: i32) -> Result<(TopicId, i32)> {
        let view = self.topic(topic).ok_or(match topic {
            TopicRef::Name(_) => Error::UnknownTopicOrPartition,
            TopicRef::Id(_) => Error::UnknownTopicId,
        })?;
        if index < 0 || index as usize >= view.partitions.len() {
            return Err(Error::UnknownTopicOrPartition);
        }
        if index == self.led_elsewhere {
            return Err(Error::NotLeader {
                leader: Some(BrokerId(2)),
                epoch: LeaderEpoch(7),
            });
        }
        Ok((view.id, index))
    }

    pub async fn gate(&self) {
        if let Some(meeting) = &self.meeting {
            meeting.wait().await;
        }
    }

    pub fn elect(&self, asked: Option<Vec<(TopicRef, i32)>>) -> Result<u32> {
        let indexes: Vec<i32> = asked
            .into_iter()
            .flatten()
            .map(|(_, index)| index)
            .collect();
        let changed = indexes.len().min(self.elects_max);
        self.elections
            .lock()
            .expect("no test panics in here")
            .push(indexes);
        u32::try_from(changed).map_err(|why| Error::Internal(why.to_string()))
    }

    pub fn commit(&self, offsets: Vec<CommitOffset>) -> Vec<Result<()>> {
        let mut state = self.state();
        let results = offsets.iter().map(|_| Ok(())).collect();
        for offset in offsets {
            state.retention_ms = offset.retention_ms;
            state.offsets.insert(offset.partition, offset.offset.0);
        }
        results
    }

    pub fn append(&self, partition: &ProducePartition) -> Result<Appended> {
        let key = self.find(&partition.topic, partition.index)?;
        let mut state = self.state();
        let log = state
            .logs
            .get_mut(&key)
            .ok_or(Error::UnknownTopicOrPartition)?;
        if &partition.records[..] == b"bad" {
            return Err(Error::CorruptMessage("bad".into()));
        }
        let base_offset = Offset(log.append(&partition.records));
        Ok(Appended {
            base_offset,
            append_time_ms: -1,
            log_start: Offset(log.start),
        })
    }

    pub fn read(&self, ask: &FetchPartition) -> FetchedPartition {
        let mut got = FetchedPartition {
            error: None,
            high_watermark: Offset(-1),
            last_stable_offset: Offset(-1),
            log_start: Offset(-1),
            diverging: None,
            leader: None,
            preferred: None,
            records: RecordSlice::EMPTY,
        };
        let found = self.find(&ask.topic, ask.index);
        let state = self.state();
        match found.map(|key| state.logs.get(&key)) {
            Ok(Some(log)) if (log.start..=log.end).contains(&ask.offset.0) => {
                got.high_watermark = Offset(log.end);
                got.last_stable_offset = Offset(log.end);
                got.log_start = Offset(log.start);
                let bytes = log.read(ask.offset.0, ask.max_bytes);
                got.records = match self.place {
                    _ if bytes.is_empty() => RecordSlice::EMPTY,
                    Place::Memory => RecordSlice::Memory(bytes),
                    Place::File => in_file(&bytes, false),
                    Place::ColdFile => in_file(&bytes, true),
                };
            }
            Ok(Some(_)) => got.error = Some(Error::OffsetOutOfRange),
            Ok(None) => got.error = Some(Error::UnknownTopicOrPartition),
            Err(error) => got.error = Some(error),
        }
        got
    }
}

/// A partition on brokers 1 and 2, of which 1 is in sync.
pub fn partition_view(index: i32, leader: i32) -> PartitionView {
    PartitionView {
        index,
        leader: Some(BrokerId(leader)),
        leader_epoch: LeaderEpoch(7),
        partition_epoch: PartitionEpoch(1),
        replicas: vec![BrokerId(1), BrokerId(2)],
        isr: vec![BrokerId(1)],
        elr: vec![],
        last_leader: None,
        offline: vec![],
        adding: vec![],
        removing: vec![],
    }
}
