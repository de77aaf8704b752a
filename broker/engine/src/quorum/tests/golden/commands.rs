//! One line for each command, in the order of the enum.

use std::collections::BTreeMap;
use weir_core::cluster::{
    AlterPartition, ClusterCommand, ConfigOp, ConfigResource, LogEnd, LogEnds, NewTopic, Reassign,
    Registration, ReportedEnd,
};
use weir_types::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, OperatorEpoch, PartitionEpoch, RaftNodeId,
};

use super::*;

/// Does not compile while a variant has no line.
macro_rules! commands {
    ($($variant:ident $fields:tt => $golden:literal,)*) => {
        pub(super) fn all() -> Vec<(ClusterCommand, &'static str)> {
            let all = vec![$((command!($variant $fields), $golden),)*];
            for (command, _) in &all {
                match command {
                    $(ClusterCommand::$variant { .. } => {})*
                }
            }
            all
        }
    };
}

macro_rules! command {
    ($variant:ident ($value:expr)) => {
        ClusterCommand::$variant($value)
    };
    ($variant:ident { $($fields:tt)* }) => {
        ClusterCommand::$variant { $($fields)* }
    };
}

const BROKER: BrokerId = BrokerId(1);
const EPOCH: BrokerEpoch = BrokerEpoch(7);

commands! {
    Form { cluster_id: "c".into() } => "010102ac0201000163",
    AllocateRaftNode { folder: folder(), broker: BROKER, address: "h:1".into() } => "010102ac02010110000000000000000000000000000000f00203683a31",
    RemoveRaftNode { id: RaftNodeId(9) } => "010102ac02010209",
    RegisterBroker(registration()) => "010102ac0201030210000000000000000000000000000000f0100000000000000000000000000000001c01017203683a3101016c016884470101100000000000000000000000000000007006",
    Unfence { broker: BROKER, epoch: EPOCH } => "010102ac020104020e",
    Fence { broker: BROKER, epoch: EPOCH } => "010102ac020105020e",
    BeginStop { broker: BROKER, epoch: EPOCH } => "010102ac020106020e",
    UnregisterBroker { broker: BROKER } => "010102ac02010702",
    SetListeners { broker: BROKER, listeners: vec![listener()] } => "010102ac0201080201016c01688447",
    CreateTopic(new_topic()) => "010102ac020109100000000000000000000000000000007001740101060102020204010601016b0176010175016e016fac0200",
    DeleteTopic { topic: topic() } => "010102ac02010a1000000000000000000000000000000070",
    CreatePartitions { topic: topic(), count: 6, assignments: assignments(), seed: 5, validate_only: true } => "010102ac02010b10000000000000000000000000000000700c010202020401060501",
    SetTopicOwner { topic: topic(), owner: Some(owner()) } => "010102ac02010c1000000000000000000000000000000070010175016e016f",
    AlterPartition(alter_partition()) => "010102ac02010d020e100000000000000000000000000000007006081202020e0410",
    ElectPreferred { partitions: Some(vec![partition()]) } => "010102ac02010e0101100000000000000000000000000000007006",
    AlterConfig { resource: ConfigResource::Topic(topic()), ops: every_op(), validate_only: false } => "010102ac02010f0210000000000000000000000000000000700400016101310101620201630132030164013300",
    AllocateProducerIds { broker: BROKER, epoch: EPOCH, count: 1000 } => "010102ac020110020ed00f",
    AlterReassignments { changes: reassignments(), same_factor: true } => "010102ac020111021000000000000000000000000000000070060101061000000000000000000000000000000070060001",
    SetCordon { broker: BROKER, cordoned: true } => "010102ac0201120201",
    AllowLeaders { broker: BROKER, epoch: EPOCH } => "010102ac020113020e",
    RemoveBroker { broker: BROKER } => "010102ac02011402",
    GiveUpReplica { broker: BROKER, epoch: EPOCH, partition: partition() } => "010102ac020115020e100000000000000000000000000000007006",
    AsOperator { epoch: OperatorEpoch(300), command: Box::new(ClusterCommand::Fence { broker: BROKER, epoch: EPOCH }) } => "010102ac020116ac0205020e",
    SetOperatorEpoch { epoch: OperatorEpoch(300), force: true } => "010102ac020117ac0201",
    ReportLogEnds(log_ends()) => "010102ac020118020e021000000000000000000000000000000070060a0108d8041000000000000000000000000000000070060a00",
    EndElectionWait { partitions: vec![partition()] } => "010102ac02011901100000000000000000000000000000007006",
}

fn registration() -> Registration {
    Registration {
        broker: BROKER,
        folder: folder(),
        incarnation: Uuid::from_u128(0x1c),
        rack: Some("r".into()),
        peer_address: "h:1".into(),
        listeners: vec![listener()],
        clean: true,
        ineligible: vec![partition()],
    }
}

fn assignments() -> Option<Vec<Vec<BrokerId>>> {
    Some(vec![vec![BrokerId(1), BrokerId(2)], vec![BrokerId(3)]])
}

fn new_topic() -> NewTopic {
    NewTopic {
        id: topic(),
        name: "t".into(),
        internal: true,
        partitions: -1,
        replication_factor: 3,
        assignments: assignments(),
        config: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        owner: Some(owner()),
        seed: 300,
        validate_only: false,
    }
}

fn alter_partition() -> AlterPartition {
    AlterPartition {
        broker: BROKER,
        broker_epoch: EPOCH,
        partition: partition(),
        leader_epoch: LeaderEpoch(4),
        partition_epoch: PartitionEpoch(9),
        isr: vec![(BROKER, EPOCH), (BrokerId(2), BrokerEpoch(8))],
    }
}

fn log_ends() -> LogEnds {
    let end = LogEnd {
        leader_epoch: LeaderEpoch(4),
        durable_end: Offset(300),
    };
    let ends = [Some(end), None].map(|end| ReportedEnd {
        partition: partition(),
        asked_in: LeaderEpoch(5),
        end,
    });
    LogEnds {
        broker: BROKER,
        epoch: EPOCH,
        ends: ends.to_vec(),
    }
}

fn every_op() -> Vec<ConfigOp> {
    vec![
        ConfigOp::Set("a".into(), "1".into()),
        ConfigOp::Delete("b".into()),
        ConfigOp::Append("c".into(), "2".into()),
        ConfigOp::Subtract("d".into(), "3".into()),
    ]
}

fn reassignments() -> Vec<Reassign> {
    vec![
        Reassign {
            partition: partition(),
            target: Some(vec![BrokerId(3)]),
        },
        Reassign {
            partition: partition(),
            target: None,
        },
    ]
}
