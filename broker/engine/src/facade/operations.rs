//! What the operator asks before, during and after a restart.

use weir_api::{Error, RestartBlocker, Result};
use weir_core::cluster::{ClusterCommand, ClusterReply, Image, Partition};
use weir_types::{BrokerId, PartitionId};

use super::{LocalEngine, errors};
use crate::quorum::Member;

impl LocalEngine {
    pub(super) async fn propose(&self, command: ClusterCommand) -> Result<ClusterReply> {
        let command = self.signed(command);
        self.quorum
            .propose(command)
            .await
            .map_err(errors::from_proposal)
    }

    /// The command with the epoch of whose hand it comes from. Before the first operator was
    /// heard there may be brokers that do not know of epochs.
    fn signed(&self, command: ClusterCommand) -> ClusterCommand {
        match self.operator {
            Some(epoch) if self.image().operator_epoch.0 > 0 => ClusterCommand::AsOperator {
                epoch,
                command: Box::new(command),
            },
            _ => command,
        }
    }

    pub(super) fn check_restart(&self, broker: BrokerId) -> Result<Vec<RestartBlocker>> {
        let image = self.image();
        if image.cluster_id.is_empty() || self.quorum.controller().is_none() {
            return Err(Error::BrokerNotAvailable);
        }
        Ok(restart_blockers(&image, &self.quorum.members(), broker))
    }

    pub(super) async fn hand_off(&self, broker: BrokerId) -> Result<u32> {
        let epoch = self
            .image()
            .brokers
            .get(&broker)
            .ok_or(Error::BrokerNotAvailable)?
            .epoch;
        match self
            .propose(ClusterCommand::BeginStop { broker, epoch })
            .await?
        {
            ClusterReply::StillLeads(left) => Ok(left),
            other => Err(Error::Internal(format!("unexpected answer {other:?}"))),
        }
    }
}

/// Partitions of which `broker` has a replica that is not in sync. Those that are only being
/// added are nobody's loss.
pub(super) fn out_of_sync(image: &Image, broker: BrokerId) -> u32 {
    let partitions = image.topics.values().flat_map(|t| &t.partitions);
    let behind = partitions.filter(|p| p.replicas.contains(&broker) && !p.isr.contains(&broker));
    let adding = image.reassignments.iter().filter(|(id, moving)| {
        let missing = |p: &Partition| !p.isr.contains(&broker);
        moving.adding().contains(&broker) && image.partition(**id).is_some_and(missing)
    });
    u32::try_from(behind.count().saturating_sub(adding.count())).unwrap_or(u32::MAX)
}

/// What stopping `broker` now would cost beyond what its absence must cost.
fn restart_blockers(image: &Image, members: &[Member], broker: BrokerId) -> Vec<RestartBlocker> {
    let mut blockers: Vec<_> = quorum_blocker(members, broker).into_iter().collect();
    for topic in image.topics.values() {
        for (index, partition) in (0..).zip(&topic.partitions) {
            let min_isr = image.partition_min_isr(PartitionId::new(topic.id, index), partition);
            let (topic, name) = (topic.id, topic.name.clone());
            match harm(image, partition, min_isr, broker) {
                Harm::None => {}
                Harm::Unavailable => {
                    blockers.push(RestartBlocker::OnlyReplica { topic, name, index });
                }
                Harm::ReadOnly => blockers.push(RestartBlocker::BelowMinIsr { topic, name, index }),
            }
        }
    }
    blockers
}

enum Harm {
    None,
    ReadOnly,
    Unavailable,
}

/// A partition with a single replica, or one that needs all of them in sync, pauses with any
/// restart: that is what its owner chose, and no reason to wait for ever.
fn harm(image: &Image, partition: &Partition, min_isr: usize, broker: BrokerId) -> Harm {
    if !partition.replicas.contains(&broker) || partition.replicas.len() == 1 {
        return Harm::None;
    }
    let others = partition
        .isr
        .iter()
        .filter(|b| **b != broker && image.is_live(**b))
        .count();
    let concerned = partition.isr.contains(&broker) || partition.elr.contains(&broker);
    if others == 0 && concerned {
        Harm::Unavailable
    } else if others < min_isr && concerned && partition.replicas.len() > min_isr {
        Harm::ReadOnly
    } else {
        Harm::None
    }
}

fn quorum_blocker(members: &[Member], broker: BrokerId) -> Option<RestartBlocker> {
    let voters: Vec<_> = members.iter().filter(|m| m.voter).collect();
    let down = voters
        .iter()
        .filter(|m| !m.live || m.broker == Some(broker))
        .count();
    let concerned = voters.iter().any(|m| m.broker == Some(broker));
    let lost = down * 2 >= voters.len();
    (concerned && voters.len() > 1 && lost).then(|| RestartBlocker::Quorum {
        voters_down: u32::try_from(down).unwrap_or(u32::MAX),
        voters: u32::try_from(voters.len()).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::cluster::NewTopic;
    use weir_types::{LeaderEpoch, PartitionEpoch, RaftNodeId};

    fn partition(replicas: &[i32], isr: &[i32], elr: &[i32]) -> Partition {
        let ids = |of: &[i32]| of.iter().copied().map(BrokerId).collect::<Vec<_>>();
        Partition {
            replicas: ids(replicas),
            isr: ids(isr),
            elr: ids(elr),
            leader: isr.first().copied().map(BrokerId),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
            last_leader: None,
        }
    }

    /// Brokers 0 to 2, all live.
    fn image() -> Image {
        let (mut image, _) = Image::default().apply(&ClusterCommand::Form {
            cluster_id: "t".to_owned(),
        });
        for id in 0..3 {
            let registration = weir_core::cluster::Registration {
                broker: BrokerId(id),
                folder: weir_types::FolderId(uuid::Uuid::from_u128(u128::from(id.unsigned_abs()))),
                incarnation: uuid::Uuid::from_u128(1),
                rack: None,
                peer_address: String::new(),
                listeners: Vec::new(),
                clean: true,
                ineligible: Vec::new(),
            };
            let (next, reply) = image.apply(&ClusterCommand::RegisterBroker(registration));
            let Ok(ClusterReply::Registered(epoch)) = reply else {
                panic!("{reply:?}")
            };
            let broker = BrokerId(id);
            image = next.apply(&ClusterCommand::Unfence { broker, epoch }).0;
        }
        image
    }

    fn harms(partition: &Partition, min_isr: usize) -> &'static str {
        match harm(&image(), partition, min_isr, BrokerId(0)) {
            Harm::None => "none",
            Harm::ReadOnly => "read only",
            Harm::Unavailable => "unavailable",
        }
    }

    #[test]
    fn a_restart_is_judged_by_what_it_would_leave_in_sync() {
        assert_eq!(harms(&partition(&[0, 1, 2], &[0, 1, 2], &[]), 2), "none");
        assert_eq!(harms(&partition(&[0, 1, 2], &[0, 1], &[]), 2), "read only");
        assert_eq!(harms(&partition(&[0, 1, 2], &[0], &[1]), 2), "unavailable");
        assert_eq!(harms(&partition(&[0, 1, 2], &[1], &[0]), 2), "read only");
        assert_eq!(harms(&partition(&[1, 2, 0], &[1, 2], &[]), 2), "none");
        assert_eq!(harms(&partition(&[0], &[0], &[]), 1), "none");
        assert_eq!(harms(&partition(&[0, 1], &[0, 1], &[]), 2), "none");
        assert_eq!(harms(&partition(&[0, 1], &[0], &[1]), 2), "unavailable");
    }

    #[test]
    fn the_last_voter_of_a_majority_is_not_stopped() {
        let member = |id: i32, live| Member {
            node: RaftNodeId(id.unsigned_abs().into()),
            broker: Some(BrokerId(id)),
            voter: true,
            live,
        };
        let all = [member(0, true), member(1, true), member(2, true)];
        assert_eq!(quorum_blocker(&all, BrokerId(0)), None);
        let two = [member(0, true), member(1, false), member(2, true)];
        assert!(quorum_blocker(&two, BrokerId(0)).is_some());
        assert_eq!(
            quorum_blocker(&two, BrokerId(1)),
            None,
            "it is down already"
        );
        assert_eq!(quorum_blocker(&all[..1], BrokerId(0)), None);
    }

    #[test]
    fn caught_up_means_in_every_isr() {
        let new = NewTopic {
            id: weir_types::TopicId(uuid::Uuid::from_u128(1)),
            name: "t".to_owned(),
            internal: false,
            partitions: 3,
            replication_factor: 3,
            assignments: None,
            config: std::collections::BTreeMap::new(),
            owner: None,
            seed: 0,
            validate_only: false,
        };
        let (image, _) = image().apply(&ClusterCommand::CreateTopic(new));
        assert_eq!(out_of_sync(&image, BrokerId(1)), 0);
        let epoch = image.brokers[&BrokerId(1)].epoch;
        let (image, _) = image.apply(&ClusterCommand::Fence {
            broker: BrokerId(1),
            epoch,
        });
        assert_eq!(out_of_sync(&image, BrokerId(1)), 3);
    }
}
