use super::*;
use std::collections::BTreeMap;
use uuid::Uuid;
use weir_core::cluster::{ClusterCommand, ConfigOp, NewTopic, Reassign, Registration};
use weir_types::{FolderId, TopicId};

const TOPIC: TopicId = TopicId(Uuid::from_u128(1));
const P0: PartitionId = PartitionId::new(TOPIC, 0);

fn apply(image: &mut Image, command: ClusterCommand) {
    let (next, reply) = image.apply(&command);
    reply.expect("accepted");
    *image = next;
}

/// Four live brokers; one partition on 0, which moves to 2 and 3.
fn moving() -> Image {
    let mut image = Image::default();
    let cluster_id = "c".to_owned();
    apply(&mut image, ClusterCommand::Form { cluster_id });
    for id in 0..4 {
        let registration = Registration {
            broker: BrokerId(id),
            folder: FolderId(Uuid::from_u128(10 + u128::from(id.unsigned_abs()))),
            incarnation: Uuid::from_u128(1),
            rack: None,
            peer_address: String::new(),
            listeners: Vec::new(),
            clean: true,
            ineligible: Vec::new(),
        };
        apply(&mut image, ClusterCommand::RegisterBroker(registration));
        let (broker, epoch) = (BrokerId(id), image.brokers[&BrokerId(id)].epoch);
        apply(&mut image, ClusterCommand::Unfence { broker, epoch });
    }
    let topic = NewTopic {
        id: TOPIC,
        name: "t".to_owned(),
        internal: false,
        partitions: -1,
        replication_factor: -1,
        assignments: Some(vec![vec![BrokerId(0)]]),
        config: BTreeMap::new(),
        owner: None,
        seed: 0,
        validate_only: false,
    };
    apply(&mut image, ClusterCommand::CreateTopic(topic));
    let target = Some(vec![BrokerId(2), BrokerId(3)]);
    let changes = vec![Reassign {
        partition: P0,
        target,
    }];
    let same_factor = false;
    apply(
        &mut image,
        ClusterCommand::AlterReassignments {
            changes,
            same_factor,
        },
    );
    image
}

fn set(image: &mut Image, resource: ConfigResource, key: &str, value: &str) {
    let ops = vec![ConfigOp::Set(key.to_owned(), value.to_owned())];
    let validate_only = false;
    apply(
        image,
        ClusterCommand::AlterConfig {
            resource,
            ops,
            validate_only,
        },
    );
}

#[test]
fn a_debt_is_paid_off_by_time_alone() {
    let mut bucket = Bucket::default();
    bucket.charge(Millis(1000), 1_000_000, 500_000);
    assert_eq!(bucket.wait_ms(Millis(1000), 1_000_000), 500);
    assert_eq!(bucket.wait_ms(Millis(1400), 1_000_000), 100);
    assert_eq!(bucket.wait_ms(Millis(1500), 1_000_000), 0);
    bucket.charge(Millis(9000), 1_000_000, 10);
    assert_eq!(bucket.wait_ms(Millis(9000), 1_000_000), 1, "no credit");
    assert_eq!(bucket.wait_ms(Millis(8000), 1_000_000), 1, "time stands");
}

#[test]
fn another_rate_holds_at_once() {
    let mut bucket = Bucket::default();
    bucket.charge(Millis(0), 1, 8 * 1024 * 1024);
    assert!(bucket.wait_ms(Millis(0), 1) > 8_000_000);
    assert!(bucket.wait_ms(Millis(0), 8 * 1024 * 1024) <= 1000);
    assert!(bucket.wait_ms(Millis(0), 0) > 0, "0 lets nothing through");
}

#[test]
fn over_a_minute_the_rate_is_kept() {
    let throttle = Throttle::default();
    let mut image = moving();
    set(
        &mut image,
        ConfigResource::ClusterDefault,
        FOLLOWER_RATE,
        "1000000",
    );
    let limits = Limits::of(&image, BrokerId(2), BrokerId(0)).expect("limited");
    let counted = limits.counted(&image, P0);
    let (mut now, mut bytes) = (0_i64, 0_usize);
    while now < 60_000 {
        match throttle.pause(&limits, Millis(now)) {
            Some(pause) => now += i64::try_from(pause.as_millis()).expect("short"),
            None => {
                throttle.charge(&limits, Millis(now), counted, 700_001);
                bytes += 700_001;
            }
        }
    }
    assert!((59_000_000..61_500_000).contains(&bytes), "{bytes}");
}

#[test]
fn only_replicas_that_are_added_are_limited() {
    let mut image = moving();
    assert_eq!(Limits::of(&image, BrokerId(2), BrokerId(0)), None);
    let everywhere = ConfigResource::ClusterDefault;
    set(&mut image, everywhere.clone(), FOLLOWER_RATE, "1000");
    let limits = Limits::of(&image, BrokerId(2), BrokerId(0)).expect("limited");
    assert!(limits.counted(&image, P0).mine);
    assert!(!limits.counted(&image, P0).leader, "it has no limit");
    let other = Limits::of(&image, BrokerId(1), BrokerId(0)).expect("limited");
    assert!(!other.counted(&image, P0).any(), "1 is not being added");
    set(
        &mut image,
        ConfigResource::Topic(TOPIC),
        FOLLOWER_REPLICAS,
        "0:1",
    );
    assert!(other.counted(&image, P0).mine, "it is listed");
    let me = Limits::of(&image, BrokerId(0), BrokerId(1)).expect("limited");
    set(
        &mut image,
        ConfigResource::Topic(TOPIC),
        FOLLOWER_REPLICAS,
        "*",
    );
    assert!(!me.counted(&image, P0).any(), "0 is in sync");
}

#[test]
fn a_leaders_limit_is_shared_by_those_it_fills() {
    let mut image = moving();
    let leader = ConfigResource::Broker(BrokerId(0));
    set(&mut image, leader, LEADER_RATE, "1000");
    let limits = Limits::of(&image, BrokerId(2), BrokerId(0)).expect("limited");
    assert_eq!((limits.mine, limits.share), (None, Some(500)));
    assert!(limits.counted(&image, P0).leader);
    set(
        &mut image,
        ConfigResource::Broker(BrokerId(0)),
        LEADER_RATE,
        "9223372036854775807",
    );
    assert_eq!(Limits::of(&image, BrokerId(2), BrokerId(0)), None);
}
