//! The bytes of each record of the metadata store. Enums are stored by position: a variant that
//! moves, or a field that comes or goes, would misread every folder written before.
//!
//! These lines never change; new ones come last. The failing test prints what the bytes would be.

use imbl::{OrdMap, OrdSet};
use openraft::{BasicNode, EntryPayload, Membership};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use uuid::Uuid;
use weir_core::cluster::{
    Broker, ConfigResource, Image, Listener, LogEnd, Partition, RaftNode, Reassignment, Topic,
    TopicOwner,
};
use weir_types::{
    BrokerEpoch, BrokerId, FolderId, LeaderEpoch, Offset, OperatorEpoch, PartitionEpoch,
    PartitionId, RaftNodeId, TopicId,
};

use crate::quorum::machine::{decode_snapshot, encode_snapshot};
use crate::quorum::record::{self, Identity, Kind};
use crate::quorum::types::{Entry, LogId, Proposal, SnapshotMeta, StoredMembership, Vote};

mod commands;

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("a string takes everything");
        out
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// Both ways: what is written, and what the bytes of an old folder are read as.
fn is_stored_as<T: Serialize + DeserializeOwned + Debug>(kind: Kind, value: &T, golden: &str) {
    let written = record::encode(kind, value).expect("encodes");
    assert_eq!(hex(&written), golden, "{value:?}");
    let read: T = record::decode(kind, &bytes(golden)).expect("decodes");
    assert_eq!(format!("{read:?}"), format!("{value:?}"));
    let again = record::encode(kind, &read).expect("encodes");
    assert_eq!(hex(&again), golden, "{read:?}");
}

fn log_id() -> LogId {
    LogId::new_term_index(2, 300)
}

fn topic() -> TopicId {
    TopicId(Uuid::from_u128(0x70))
}

fn folder() -> FolderId {
    FolderId(Uuid::from_u128(0xf0))
}

fn partition() -> PartitionId {
    PartitionId::new(topic(), 3)
}

fn listener() -> Listener {
    Listener {
        name: "l".into(),
        host: "h".into(),
        port: 9092,
    }
}

fn owner() -> TopicOwner {
    TopicOwner {
        uid: "u".into(),
        namespace: "n".into(),
        name: "o".into(),
    }
}

fn membership() -> Membership<u64, BasicNode> {
    let voters = |ids: &[u64]| ids.iter().copied().collect::<BTreeSet<_>>();
    let nodes = [1, 2, 3].map(|id| (id, BasicNode::new(format!("h:{id}"))));
    let joint = vec![voters(&[1, 2]), voters(&[1, 3])];
    let nodes: BTreeMap<_, _> = nodes.into_iter().collect();
    Membership::new(joint, nodes).expect("every voter is a node")
}

#[test]
fn votes_and_log_ids() {
    is_stored_as(Kind::Vote, &Vote::new(2, 5), "020102010500");
    is_stored_as(Kind::Vote, &Vote::new_committed(2, 5), "020102010501");
    is_stored_as(Kind::LogId, &log_id(), "030102ac02");
}

#[test]
fn identities() {
    let identity = Identity {
        cluster_id: "c".into(),
        node: 300,
        founder: true,
    };
    is_stored_as(Kind::Identity, &identity, "04010163ac0201");
}

#[test]
fn entries_without_a_command() {
    let entry = |payload| Entry {
        log_id: log_id(),
        payload,
    };
    is_stored_as(Kind::Entry, &entry(EntryPayload::Blank), "010102ac0200");
    let payload = EntryPayload::Membership(membership());
    is_stored_as(
        Kind::Entry,
        &entry(payload),
        "010102ac020202020102020103030103683a310203683a320303683a33",
    );
}

#[test]
fn entries_with_a_command() {
    let mut wrong = Vec::new();
    for (position, (command, golden)) in commands::all().into_iter().enumerate() {
        let entry = Entry {
            log_id: log_id(),
            payload: EntryPayload::Normal(Proposal(command)),
        };
        let written = record::encode(Kind::Entry, &entry).expect("encodes");
        // The command's number comes behind kind, version, term, index (two bytes) and payload.
        assert_eq!(usize::from(written[6]), position, "{entry:?}");
        if hex(&written) == golden {
            is_stored_as(Kind::Entry, &entry, golden);
        } else {
            wrong.push(format!("{:?}\nis {}", entry.payload, hex(&written)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// With something in each field.
fn image() -> Image {
    let broker = Broker {
        id: BrokerId(1),
        epoch: BrokerEpoch(7),
        folder: folder(),
        incarnation: Uuid::from_u128(0x1c),
        rack: Some("r".into()),
        peer_address: "h:1".into(),
        listeners: vec![listener()],
        fenced: false,
        stopping: true,
    };
    let state = Partition {
        replicas: vec![BrokerId(1), BrokerId(2)],
        isr: vec![BrokerId(1)],
        elr: vec![BrokerId(2)],
        leader: Some(BrokerId(1)),
        leader_epoch: LeaderEpoch(4),
        partition_epoch: PartitionEpoch(9),
        last_leader: None,
    };
    let config = OrdMap::unit("retention.ms".to_owned(), "1".to_owned());
    let node = RaftNode {
        id: RaftNodeId(1),
        folder: folder(),
        broker: BrokerId(1),
        address: "h:1".into(),
    };
    let resources = [
        ConfigResource::ClusterDefault,
        ConfigResource::Broker(BrokerId(1)),
        ConfigResource::Topic(topic()),
    ];
    Image {
        cluster_id: "c".into(),
        version: 300,
        feature_level: 1,
        brokers: OrdMap::unit(BrokerId(1), Arc::new(broker)),
        topics: OrdMap::unit(
            topic(),
            Arc::new(Topic {
                id: topic(),
                name: "t".into(),
                internal: false,
                partitions: vec![state],
                config: config.clone(),
                owner: Some(owner()),
            }),
        ),
        topic_names: OrdMap::unit("t".to_owned(), topic()),
        configs: resources.map(|r| (r, config.clone())).into_iter().collect(),
        raft_nodes: OrdMap::unit(RaftNodeId(1), node),
        next_raft_node: 2,
        next_broker_epoch: 8,
        next_producer_id: 1000,
        ..Image::default()
    }
}

fn snapshot_is_stored_as(image: &Image, golden: &str) {
    let meta = SnapshotMeta {
        last_log_id: Some(log_id()),
        last_membership: StoredMembership::new(Some(LogId::new_term_index(1, 4)), membership()),
    };
    let written = encode_snapshot(&meta, image).expect("encodes");
    assert_eq!(hex(&written), golden);
    let (read_meta, read) = decode_snapshot(&bytes(golden)).expect("decodes");
    assert_eq!((&read_meta, &read), (&meta, image));
    let again = encode_snapshot(&read_meta, &read).expect("encodes");
    assert_eq!(hex(&again), golden);
}

#[test]
fn snapshots_of_version_one() {
    snapshot_is_stored_as(
        &image(),
        "05010102ac0201010402020102020103030103683a310203683a320303683a33000163ac02010102020e10000000000000000000000000000000f0100000000000000000000000000000001c01017203683a3101016c016884470001011000000000000000000000000000000070100000000000000000000000000000007001740001020204010201040102081200010c726574656e74696f6e2e6d730131010175016e016f01017410000000000000000000000000000000700300010c726574656e74696f6e2e6d7301310102010c726574656e74696f6e2e6d730131021000000000000000000000000000000070010c726574656e74696f6e2e6d73013101010110000000000000000000000000000000f00203683a310210d00f",
    );
}

#[test]
fn snapshots_of_version_two() {
    let moving = Reassignment {
        before: vec![BrokerId(1), BrokerId(2)],
        target: vec![BrokerId(3)],
    };
    let image = Image {
        reassignments: OrdMap::unit(partition(), moving),
        cordoned: OrdSet::unit(BrokerId(2)),
        retired_nodes: OrdMap::unit(FolderId(Uuid::from_u128(0xf1)), RaftNodeId(9)),
        ..image()
    };
    snapshot_is_stored_as(
        &image,
        "05020102ac0201010402020102020103030103683a310203683a320303683a33000163ac02010102020e10000000000000000000000000000000f0100000000000000000000000000000001c01017203683a3101016c016884470001011000000000000000000000000000000070100000000000000000000000000000007001740001020204010201040102081200010c726574656e74696f6e2e6d730131010175016e016f01017410000000000000000000000000000000700300010c726574656e74696f6e2e6d7301310102010c726574656e74696f6e2e6d730131021000000000000000000000000000000070010c726574656e74696f6e2e6d73013101010110000000000000000000000000000000f00203683a310210d00f01100000000000000000000000000000007006020204010601040110000000000000000000000000000000f109",
    );
}

#[test]
fn snapshots_of_version_four() {
    let end = LogEnd {
        leader_epoch: LeaderEpoch(4),
        durable_end: Offset(300),
    };
    let ends = [(BrokerId(1), None), (BrokerId(2), Some(end))];
    let image = Image {
        operator_epoch: OperatorEpoch(3),
        unclean: OrdSet::unit(BrokerId(2)),
        awaited_ends: OrdMap::unit(partition(), ends.into_iter().collect()),
        ..image()
    };
    snapshot_is_stored_as(
        &image,
        "05040102ac0201010402020102020103030103683a310203683a320303683a33000163ac02010102020e10000000000000000000000000000000f0100000000000000000000000000000001c01017203683a3101016c016884470001011000000000000000000000000000000070100000000000000000000000000000007001740001020204010201040102081200010c726574656e74696f6e2e6d730131010175016e016f01017410000000000000000000000000000000700300010c726574656e74696f6e2e6d7301310102010c726574656e74696f6e2e6d730131021000000000000000000000000000000070010c726574656e74696f6e2e6d73013101010110000000000000000000000000000000f00203683a310210d00f00000003010401100000000000000000000000000000007006020200040108d804",
    );
}
