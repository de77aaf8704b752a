//! One command, one new image.

use std::sync::Arc;
use weir_types::{BrokerEpoch, BrokerId, ProducerId, RaftNodeId};

use super::{
    Broker, ClusterCommand, ClusterError, ClusterReply, Image, RaftNode, brokers, configs,
    elections, log_ends, operators, partitions, reassign, removal, topics,
};

pub(super) type Outcome = Result<ClusterReply, ClusterError>;

/// Most producer ids that one command may take.
const PRODUCER_BLOCK_MAX: i64 = 10_000;

impl Image {
    /// The image after `command`, and what is answered. Deterministic: no clock, no randomness.
    /// A refused command changes nothing but `version`, and which operator was heard.
    pub fn apply(&self, command: &ClusterCommand) -> (Self, Outcome) {
        let mut next = self.clone();
        let outcome = next.take(command);
        next.version = self.version + 1;
        (next, outcome)
    }

    /// Changes the image by what is not refused.
    fn take(&mut self, command: &ClusterCommand) -> Outcome {
        let command = match command {
            ClusterCommand::AsOperator { .. } if self.cluster_id.is_empty() => {
                return Err(ClusterError::NotFormed);
            }
            ClusterCommand::AsOperator { epoch, command } => {
                self.hear_operator(*epoch)?;
                command
            }
            plain => plain,
        };
        let mut next = self.clone();
        let outcome = next.dispatch(command);
        if outcome.is_ok() {
            *self = next;
        }
        outcome
    }

    fn dispatch(&mut self, command: &ClusterCommand) -> Outcome {
        if let ClusterCommand::Form { cluster_id } = command {
            return self.form(cluster_id);
        }
        if self.cluster_id.is_empty() {
            return Err(ClusterError::NotFormed);
        }
        self.of_formed(command)
    }

    fn of_formed(&mut self, command: &ClusterCommand) -> Outcome {
        use ClusterCommand as C;
        match command {
            C::Form { .. } => Ok(ClusterReply::Done),
            C::AllocateRaftNode {
                folder,
                broker,
                address,
            } => Ok(self.allocate_raft_node(*folder, *broker, address)),
            C::RemoveRaftNode { id } => removal::forget_node(self, *id),
            C::RegisterBroker(registration) => brokers::register(self, registration),
            C::Unfence { broker, epoch } => brokers::unfence(self, *broker, *epoch),
            C::Fence { broker, epoch } => brokers::fence(self, *broker, *epoch),
            C::BeginStop { broker, epoch } => brokers::begin_stop(self, *broker, *epoch),
            C::UnregisterBroker { broker } => brokers::unregister(self, *broker),
            C::SetListeners { broker, listeners } => {
                brokers::set_listeners(self, *broker, listeners)
            }
            C::CreateTopic(topic) => topics::create(self, topic),
            C::DeleteTopic { topic } => topics::delete(self, *topic),
            C::CreatePartitions {
                topic,
                count,
                assignments,
                seed,
                validate_only,
            } => {
                let grown = topics::Growth {
                    count: *count,
                    assignments: assignments.as_deref(),
                    seed: *seed,
                    validate_only: *validate_only,
                };
                topics::grow(self, *topic, &grown)
            }
            C::SetTopicOwner { topic, owner } => topics::set_owner(self, *topic, owner.as_ref()),
            C::AlterPartition(change) => partitions::alter(self, change),
            C::ElectPreferred { partitions } => {
                Ok(elections::elect_preferred(self, partitions.as_deref()))
            }
            C::AlterConfig {
                resource,
                ops,
                validate_only,
            } => configs::alter(self, resource, ops, *validate_only),
            C::AllocateProducerIds {
                broker,
                epoch,
                count,
            } => self.allocate_producer_ids(*broker, *epoch, *count),
            C::AlterReassignments {
                changes,
                same_factor,
            } => Ok(reassign::alter(self, changes, *same_factor)),
            C::SetCordon { broker, cordoned } => removal::set_cordon(self, *broker, *cordoned),
            C::AllowLeaders { broker, epoch } => brokers::allow_leaders(self, *broker, *epoch),
            C::RemoveBroker { broker } => removal::remove(self, *broker),
            C::GiveUpReplica {
                broker,
                epoch,
                partition,
            } => brokers::give_up(self, *broker, *epoch, *partition),
            C::ReportLogEnds(report) => log_ends::report(self, report),
            C::EndElectionWait { partitions } => log_ends::end_wait(self, partitions),
            C::SetOperatorEpoch { epoch, force } => operators::set_epoch(self, *epoch, *force),
            // Only inside of another, and what is read or proposed has no such thing.
            C::AsOperator { epoch, .. } => operators::refuse_nested(self, *epoch),
        }
    }

    fn form(&mut self, cluster_id: &str) -> Outcome {
        if self.cluster_id.is_empty() {
            cluster_id.clone_into(&mut self.cluster_id);
            self.feature_level = 1;
            self.next_raft_node = 1;
        } else if self.cluster_id != cluster_id {
            return Err(ClusterError::OtherCluster {
                have: self.cluster_id.clone(),
                asked: cluster_id.to_owned(),
            });
        }
        Ok(ClusterReply::Done)
    }

    fn allocate_raft_node(
        &mut self,
        folder: weir_types::FolderId,
        broker: BrokerId,
        address: &str,
    ) -> ClusterReply {
        let known = self
            .raft_nodes
            .values()
            .find(|n| n.folder == folder)
            .map(|n| n.id)
            .or_else(|| self.retired_nodes.remove(&folder));
        let id = known.unwrap_or_else(|| {
            let id = RaftNodeId(self.next_raft_node);
            self.next_raft_node += 1;
            id
        });
        let node = RaftNode {
            id,
            folder,
            broker,
            address: address.to_owned(),
        };
        self.raft_nodes.insert(id, node);
        ClusterReply::RaftNode(id)
    }

    fn allocate_producer_ids(
        &mut self,
        broker: BrokerId,
        epoch: BrokerEpoch,
        count: i64,
    ) -> Outcome {
        self.registered(broker, epoch)?;
        let first = self.next_producer_id;
        self.next_producer_id += count.clamp(1, PRODUCER_BLOCK_MAX);
        Ok(ClusterReply::ProducerIds(ProducerId(first)))
    }

    /// The broker's registration, if `epoch` is its current one.
    pub(super) fn registered(
        &self,
        broker: BrokerId,
        epoch: BrokerEpoch,
    ) -> Result<&Arc<Broker>, ClusterError> {
        let found = self
            .brokers
            .get(&broker)
            .ok_or(ClusterError::UnknownBroker(broker))?;
        if found.epoch == epoch {
            Ok(found)
        } else {
            Err(ClusterError::StaleBrokerEpoch {
                broker,
                have: found.epoch,
                asked: epoch,
            })
        }
    }

    /// Changes one broker's registration in place.
    pub(super) fn update_broker(&mut self, broker: BrokerId, change: impl FnOnce(&mut Broker)) {
        if let Some(found) = self.brokers.get_mut(&broker) {
            change(Arc::make_mut(found));
        }
    }
}
