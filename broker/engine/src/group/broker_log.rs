use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use weir_api::{Caller, CommittedOffset, Error, Result, TopicPartitionName};
use weir_core::cluster::{ClusterCommand, ClusterError, Image};
use weir_storage::{BatchBuilder, for_each_batch};
use weir_types::{BrokerId, LeaderEpoch, Millis, Offset, PartitionId, limits};

use super::backlog::{Answer, Question};
use super::{Groups, GroupsConfig, LogPage, LogRecord, OffsetsLog};
use crate::partition::Partitions;
use crate::peer::{Class, PeerFault, PeerNet, PeerRouter, PeerService, wire};
use crate::quorum::{ProposeError, Quorum};

/// Request to the coordinator on another broker: all committed offsets of a group.
const KIND_COMMITTED: u16 = 0x0300;
/// Request to any broker: the groups that it coordinates and the partitions that it leads.
const KIND_BACKLOG: u16 = 0x0301;
const PEER_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes read at once while groups are loaded.
const READ_BYTES: usize = 1024 * 1024;
/// More than a record's own fields take in a batch.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// The partitions and the metadata of this broker.
struct BrokerLog {
    broker: BrokerId,
    quorum: Quorum,
    partitions: Partitions,
    net: PeerNet,
    clock: Arc<dyn Fn() -> Millis + Send + Sync>,
}

impl Groups {
    /// Begins to coordinate whatever groups belong to this broker, and answers the coordinators
    /// of other brokers. To be called within a tokio runtime.
    pub fn start(
        broker: BrokerId,
        quorum: Quorum,
        partitions: Partitions,
        net: PeerNet,
        router: &PeerRouter,
        config: GroupsConfig,
    ) -> Self {
        let clock = Arc::clone(&config.clock);
        let log = BrokerLog {
            broker,
            quorum,
            partitions,
            net,
            clock,
        };
        let groups = Self::over(Arc::new(log), config);
        let service = GroupsService {
            groups: groups.clone(),
        };
        router.register(KIND_COMMITTED..=KIND_BACKLOG, Arc::new(service));
        groups
    }
}

#[async_trait]
impl OffsetsLog for BrokerLog {
    fn broker(&self) -> BrokerId {
        self.broker
    }

    fn metadata(&self) -> watch::Receiver<Arc<Image>> {
        self.quorum.subscribe()
    }

    async fn propose(&self, command: ClusterCommand) -> Result<()> {
        match self.quorum.propose(command).await {
            Ok(_) => Ok(()),
            Err(ProposeError::Refused(ClusterError::TopicExists(_))) => Err(Error::TopicExists),
            Err(ProposeError::Refused(why)) => Err(Error::Internal(why.to_string())),
            Err(error) => Err(Error::Busy(error.to_string())),
        }
    }

    async fn append(
        &self,
        partition: PartitionId,
        epoch: LeaderEpoch,
        records: Vec<LogRecord>,
    ) -> Result<()> {
        for batch in batches(&records, (self.clock)()) {
            self.partitions
                .append_in_epoch(partition, epoch, batch)
                .await?;
        }
        Ok(())
    }

    async fn read(&self, partition: PartitionId, from: Offset) -> Result<LogPage> {
        let (bytes, high_watermark) = self.partitions.read(partition, from, READ_BYTES).await?;
        page(&bytes, from, high_watermark)
    }

    fn bounds(&self, partition: PartitionId) -> Option<(Offset, Offset)> {
        self.partitions.bounds(partition)
    }

    async fn ask_committed(&self, broker: BrokerId, group: &str) -> Result<Vec<CommittedOffset>> {
        let address = self.address(broker).ok_or(Error::CoordinatorNotAvailable)?;
        let body = Bytes::copy_from_slice(group.as_bytes());
        let answer = self
            .net
            .call(&address, Class::Data, KIND_COMMITTED, body, PEER_TIMEOUT)
            .await
            .map_err(|_| Error::CoordinatorNotAvailable)?;
        let offsets: Vec<PeerOffset> =
            postcard::from_bytes(&answer).map_err(|e| Error::Internal(e.to_string()))?;
        Ok(offsets.into_iter().map(CommittedOffset::from).collect())
    }

    async fn ask_backlog(
        &self,
        broker: BrokerId,
        question: &Question,
    ) -> std::result::Result<Answer, String> {
        let address = self.address(broker).ok_or("it is not registered")?;
        let body = wire::encode(question).map_err(|e| e.to_string())?;
        let answer = self
            .net
            .call(&address, Class::Data, KIND_BACKLOG, body, PEER_TIMEOUT)
            .await
            .map_err(|e| e.to_string())?;
        wire::decode(&answer).map_err(|e| e.to_string())
    }
}

impl BrokerLog {
    fn address(&self, broker: BrokerId) -> Option<String> {
        let image = self.quorum.image();
        image.brokers.get(&broker).map(|b| b.peer_address.clone())
    }
}

/// As few batches as the size of one allows, in order.
fn batches(records: &[LogRecord], now: Millis) -> Vec<Bytes> {
    let mut done = Vec::new();
    let mut batch = BatchBuilder::new();
    for record in records {
        let more = record.len() + RECORD_OVERHEAD_BYTES;
        if batch.count() > 0 && batch.size() + more > limits::BATCH_BYTES_MAX {
            done.push(std::mem::take(&mut batch).build());
        }
        batch.push(now.0, Some(&record.key), record.value.as_deref());
    }
    if batch.count() > 0 {
        done.push(batch.build());
    }
    done
}

/// The records of whole batches from `from` on.
fn page(bytes: &Bytes, from: Offset, high_watermark: Offset) -> Result<LogPage> {
    let mut records = Vec::new();
    // Where compaction left nothing up to the high watermark there is nothing more to read.
    let mut next = if bytes.is_empty() {
        high_watermark
    } else {
        from
    };
    for_each_batch(bytes, |batch| {
        next = next.max(Offset(batch.header.next_offset()));
        if batch.header.is_control() {
            return Ok(());
        }
        let fresh = batch.records()?.into_iter().filter(|r| r.offset >= from.0);
        let keyed = |r: weir_storage::Record| {
            r.key.map(|key| LogRecord {
                key,
                value: r.value,
            })
        };
        records.extend(fresh.filter_map(keyed));
        Ok(())
    })
    .map_err(|e| Error::CorruptMessage(e.to_string()))?;
    Ok(LogPage {
        records,
        next,
        high_watermark,
    })
}

#[derive(Serialize, Deserialize)]
struct PeerOffset {
    topic: String,
    index: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: String,
}

impl From<CommittedOffset> for PeerOffset {
    fn from(from: CommittedOffset) -> Self {
        Self {
            topic: from.partition.topic,
            index: from.partition.index,
            offset: from.offset.0,
            leader_epoch: from.leader_epoch.0,
            metadata: from.metadata,
        }
    }
}

impl From<PeerOffset> for CommittedOffset {
    fn from(from: PeerOffset) -> Self {
        Self {
            partition: TopicPartitionName {
                topic: from.topic,
                index: from.index,
            },
            offset: Offset(from.offset),
            leader_epoch: LeaderEpoch(from.leader_epoch),
            metadata: from.metadata,
        }
    }
}

/// What coordinators tell each other.
struct GroupsService {
    groups: Groups,
}

#[async_trait]
impl PeerService for GroupsService {
    async fn handle(&self, kind: u16, body: Bytes) -> std::result::Result<Bytes, PeerFault> {
        if kind == KIND_BACKLOG {
            let question: Question = wire::decode(&body)?;
            return wire::encode(&self.groups.answer_backlog(&question).await);
        }
        let group = std::str::from_utf8(&body)
            .map_err(|_| PeerFault::Malformed("a group id is UTF-8".to_owned()))?;
        let offsets = self
            .groups
            .committed_offsets(&Caller::internal(), group, None)
            .await
            .map_err(|e| PeerFault::Unavailable(e.to_string()))?;
        let offsets: Vec<PeerOffset> = offsets.into_iter().map(PeerOffset::from).collect();
        let body = postcard::to_allocvec(&offsets).map_err(|e| PeerFault::Failed(e.to_string()))?;
        Ok(body.into())
    }
}
