//! The logs of the world as one broker reaches them.

use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::watch;
use weir_api::{CommittedOffset, Error, Result};
use weir_core::cluster::{ClusterCommand, Image};
use weir_types::{BrokerId, LeaderEpoch, Offset, PartitionId};

use super::{World, caller};
use crate::group::backlog::{Answer, Question};
use crate::group::{LogPage, LogRecord, OffsetsLog};

pub struct MemoryLog {
    pub(super) world: Arc<World>,
    pub(super) broker: BrokerId,
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

    async fn ask_backlog(
        &self,
        broker: BrokerId,
        question: &Question,
    ) -> std::result::Result<Answer, String> {
        let other = {
            let mut state = self.world.state();
            *state.questions.entry(broker).or_default() += 1;
            let silent = state.silent.contains(&broker);
            state.groups.get(&broker).cloned().filter(|_| !silent)
        };
        match other {
            Some(other) => Ok(other.answer_backlog(question).await),
            None => std::future::pending().await,
        }
    }
}
