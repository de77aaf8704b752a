//! A cluster's metadata in a test's hand.

use std::collections::BTreeMap;

use uuid::Uuid;
use weir_core::cluster::{
    AlterPartition, ClusterCommand as C, ClusterError, ClusterReply, Image, NewTopic, Partition,
    Registration,
};
use weir_types::{BrokerEpoch, BrokerId, FolderId, PartitionId, TopicId};

pub const TOPIC: TopicId = TopicId(Uuid::from_u128(7));
pub const P0: PartitionId = PartitionId::new(TOPIC, 0);

/// The metadata, and commands that must be taken.
pub struct Cluster(pub Image);

impl Cluster {
    /// Live brokers 0 to `count`, one rack each.
    pub fn of(count: i32) -> Self {
        let mut cluster = Self(Image::default());
        cluster.ok(C::Form {
            cluster_id: "test".to_owned(),
        });
        for id in 0..count {
            cluster.start(id, 1);
        }
        cluster
    }

    pub fn apply(&mut self, command: C) -> Result<ClusterReply, ClusterError> {
        let (next, outcome) = self.0.apply(&command);
        self.0 = next;
        outcome
    }

    pub fn ok(&mut self, command: C) -> ClusterReply {
        let what = format!("{command:?}");
        match self.apply(command) {
            Ok(reply) => reply,
            Err(error) => panic!("{what}: {error}"),
        }
    }

    pub fn register(&mut self, id: i32, incarnation: u128, folder: u128) -> BrokerEpoch {
        let reply = self.ok(registration(id, incarnation, folder, Vec::new()));
        let ClusterReply::Registered(epoch) = reply else {
            panic!("{reply:?}")
        };
        epoch
    }

    pub fn start(&mut self, id: i32, incarnation: u128) {
        let epoch = self.register(id, incarnation, 100 + id.unsigned_abs() as u128);
        self.ok(C::Unfence {
            broker: BrokerId(id),
            epoch,
        });
    }

    /// After an orderly stop.
    pub fn start_clean(&mut self, id: i32, incarnation: u128) {
        let command = registration(id, incarnation, 100 + id.unsigned_abs() as u128, Vec::new());
        let C::RegisterBroker(unclean) = command else {
            panic!("{command:?}")
        };
        self.ok(C::RegisterBroker(Registration {
            clean: true,
            ..unclean
        }));
        let epoch = self.epoch(id);
        self.ok(C::Unfence {
            broker: BrokerId(id),
            epoch,
        });
    }

    pub fn fence(&mut self, id: i32) {
        let epoch = self.epoch(id);
        self.ok(C::Fence {
            broker: BrokerId(id),
            epoch,
        });
    }

    pub fn epoch(&self, id: i32) -> BrokerEpoch {
        self.0.brokers[&BrokerId(id)].epoch
    }

    pub fn create(&mut self, partitions: i32, factor: i16, min_isr: usize) {
        let config = BTreeMap::from([("min.insync.replicas".to_owned(), min_isr.to_string())]);
        self.ok(C::CreateTopic(new_topic("t", partitions, factor, config)));
    }

    pub fn p0(&self) -> &Partition {
        self.0.partition(P0).expect("the topic was created")
    }

    pub fn alter_isr(&mut self, isr: &[i32]) -> Result<ClusterReply, ClusterError> {
        let p = self.p0().clone();
        let leader = p.leader.expect("a leader proposes");
        self.apply(C::AlterPartition(AlterPartition {
            broker: leader,
            broker_epoch: self.epoch(leader.0),
            partition: P0,
            leader_epoch: p.leader_epoch,
            partition_epoch: p.partition_epoch,
            isr: isr
                .iter()
                .map(|id| (BrokerId(*id), self.epoch(*id)))
                .collect(),
        }))
    }
}

pub fn registration(id: i32, incarnation: u128, folder: u128, ineligible: Vec<PartitionId>) -> C {
    C::RegisterBroker(Registration {
        broker: BrokerId(id),
        folder: FolderId(Uuid::from_u128(folder)),
        incarnation: Uuid::from_u128(incarnation),
        rack: Some(format!("rack-{}", id % 3)),
        peer_address: format!("broker-{id}:9190"),
        listeners: Vec::new(),
        clean: false,
        ineligible,
    })
}

pub fn new_topic(
    name: &str,
    partitions: i32,
    factor: i16,
    config: BTreeMap<String, String>,
) -> NewTopic {
    NewTopic {
        id: TOPIC,
        name: name.to_owned(),
        internal: false,
        partitions,
        replication_factor: factor,
        assignments: None,
        config,
        owner: None,
        seed: 0,
        validate_only: false,
    }
}

pub fn ids(of: &[BrokerId]) -> Vec<i32> {
    of.iter().map(|b| b.0).collect()
}
