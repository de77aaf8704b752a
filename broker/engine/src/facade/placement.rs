//! Where replicas lie, and how they are moved.

use async_trait::async_trait;
use std::ops::Bound;
use weir_api::{
    Error, Holdings, LogDir, LogView, Placement, Reassign, ReplicaView, Result, TopicRef,
};
use weir_core::cluster::{self, ClusterCommand, ClusterReply, Image, Topic};
use weir_types::{BrokerId, PartitionId};

use super::{LocalEngine, errors, views};

/// Partitions of one entry of the metadata log.
const CHANGES_MAX: usize = 500;

#[async_trait]
impl Placement for LocalEngine {
    async fn alter_reassignments(
        &self,
        changes: Vec<Reassign>,
        same_factor: bool,
    ) -> Result<Vec<Result<()>>> {
        let image = self.image();
        let mut results: Vec<Result<()>> = Vec::with_capacity(changes.len());
        // Those that name a partition, with their places in the answer.
        let mut named = Vec::with_capacity(changes.len());
        for (place, change) in changes.into_iter().enumerate() {
            match find(&image, &change.topic, change.index) {
                Ok(partition) => {
                    let target = change.target;
                    named.push((place, cluster::Reassign { partition, target }));
                    results.push(Ok(()));
                }
                Err(error) => results.push(Err(error)),
            }
        }
        for part in named.chunks(CHANGES_MAX) {
            let changes = part.iter().map(|(_, change)| change.clone()).collect();
            let command = ClusterCommand::AlterReassignments {
                changes,
                same_factor,
            };
            let ClusterReply::Reassigned(outcomes) = self.propose(command).await? else {
                return Err(Error::Internal("unexpected answer".to_owned()));
            };
            for ((place, _), outcome) in part.iter().zip(outcomes) {
                if let Some(result) = results.get_mut(*place) {
                    *result = outcome.map_err(errors::from_cluster);
                }
            }
        }
        Ok(results)
    }

    fn reassignments(&self) -> Vec<ReplicaView> {
        let image = self.image();
        let mut moving: Vec<_> = image
            .reassignments
            .keys()
            .filter_map(|id| {
                let topic = image.topics.get(&id.topic)?;
                self.replica(&image, topic, id.index)
            })
            .collect();
        moving.sort_by(|a, b| {
            let key = |r: &ReplicaView| r.partition.index;
            a.topic.cmp(&b.topic).then(key(a).cmp(&key(b)))
        });
        moving
    }

    fn replicas(&self, after: Option<(String, i32)>, held: bool, limit: usize) -> Vec<ReplicaView> {
        let image = self.image();
        let (name, last) = after.unwrap_or_else(|| (String::new(), -1));
        let from = (Bound::Included(name.clone()), Bound::Unbounded);
        let topics = image.topic_names.range(from);
        let topics = topics.filter_map(|(_, id)| image.topics.get(id));
        let mut found = Vec::new();
        for topic in topics {
            let first = if topic.name == name { last + 1 } else { 0 };
            let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            for index in first..count {
                if found.len() >= limit {
                    return found;
                }
                let Some(replica) = self.replica(&image, topic, index) else {
                    continue;
                };
                if !held || replica.partition.replicas.contains(&self.me) {
                    found.push(replica);
                }
            }
        }
        found
    }

    async fn cordon(&self, broker: BrokerId, cordoned: bool) -> Result<Holdings> {
        let image = self.image();
        let (leaders, replicas) = image.holdings(broker);
        let known = image.brokers.contains_key(&broker) || !cordoned;
        // Asked for over and over by who waits for the broker to be empty.
        if known && image.is_cordoned(broker) == cordoned && (!cordoned || leaders == 0) {
            return Ok(Holdings { leaders, replicas });
        }
        match self
            .propose(ClusterCommand::SetCordon { broker, cordoned })
            .await?
        {
            ClusterReply::Holds { leaders, replicas } => Ok(Holdings { leaders, replicas }),
            other => Err(Error::Internal(format!("unexpected answer {other:?}"))),
        }
    }

    async fn remove_broker(&self, broker: BrokerId) -> Result<()> {
        self.propose(ClusterCommand::RemoveBroker { broker })
            .await
            .map(drop)
    }

    async fn allow_leaders(&self, broker: BrokerId) -> Result<()> {
        let image = self.image();
        let found = image
            .brokers
            .get(&broker)
            .ok_or(Error::BrokerNotAvailable)?;
        if !found.stopping {
            return Ok(());
        }
        let epoch = found.epoch;
        self.propose(ClusterCommand::AllowLeaders { broker, epoch })
            .await
            .map(drop)
    }

    fn log_dir(&self) -> Result<LogDir> {
        let image = self.image();
        let volume = self
            .partitions
            .volume()
            .map_err(|e| Error::Storage(e.to_string()))?;
        let held = self.partitions.held_logs().into_iter();
        let logs = held.filter_map(|log| {
            Some(LogView {
                topic: image.topics.get(&log.partition.topic)?.name.clone(),
                index: log.partition.index,
                bytes: log.bytes,
                lag: log.lag,
            })
        });
        Ok(LogDir {
            logs: logs.collect(),
            path: volume.path,
            total_bytes: volume.total_bytes,
            usable_bytes: volume.usable_bytes,
        })
    }
}

impl LocalEngine {
    fn replica(&self, image: &Image, topic: &Topic, index: i32) -> Option<ReplicaView> {
        let id = PartitionId::new(topic.id, index);
        let partition = image.partition(id)?;
        Some(ReplicaView {
            topic: topic.name.clone(),
            topic_id: topic.id,
            internal: topic.internal,
            min_isr: image.partition_min_isr(id, partition),
            bytes: self.partitions.log_bytes(id),
            partition: views::partition(image, id, partition),
        })
    }
}

fn find(image: &Image, topic: &TopicRef, index: i32) -> Result<PartitionId> {
    let found = views::find(image, topic).ok_or_else(|| super::answers::unknown(topic))?;
    let id = PartitionId::new(found.id, index);
    let known = image.partition(id).is_some();
    known.then_some(id).ok_or(Error::UnknownTopicOrPartition)
}
