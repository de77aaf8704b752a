//! What the metadata does not take, and where configs come from.

use std::collections::BTreeMap;

use uuid::Uuid;
use weir_core::cluster::{
    AlterPartition, ClusterCommand as C, ClusterError, ClusterReply, ConfigOp, ConfigResource,
    config_defs,
};
use weir_types::{BrokerEpoch, BrokerId, TopicId};

use super::support::{Cluster, P0, TOPIC, ids, new_topic};

#[test]
fn stale_isr_changes_are_refused() {
    let mut cluster = Cluster::of(3);
    cluster.create(1, 3, 2);
    let all = ids(&cluster.p0().isr);
    assert!(cluster.alter_isr(&all[..2]).is_ok());
    let p = cluster.p0().clone();
    let leader = p.leader.expect("led");
    let mut change = AlterPartition {
        broker: leader,
        broker_epoch: cluster.epoch(leader.0),
        partition: P0,
        leader_epoch: p.leader_epoch,
        partition_epoch: weir_types::PartitionEpoch(p.partition_epoch.0 - 1),
        isr: vec![(leader, cluster.epoch(leader.0))],
    };
    assert!(matches!(
        cluster.apply(C::AlterPartition(change.clone())),
        Err(ClusterError::StalePartitionEpoch { .. })
    ));
    change.partition_epoch = p.partition_epoch;
    change.isr.push((BrokerId(all[2]), BrokerEpoch(999)));
    assert_eq!(
        cluster.apply(C::AlterPartition(change)),
        Err(ClusterError::IneligibleReplica(BrokerId(all[2])))
    );
}

#[test]
fn bad_topics_are_refused_with_the_reason() {
    let mut cluster = Cluster::of(2);
    let mut create = |name: &str, partitions, factor, key: &str, value: &str| {
        let config = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        cluster.apply(C::CreateTopic(new_topic(name, partitions, factor, config)))
    };
    let ok = "retention.ms";
    assert!(matches!(
        create("a b", 1, 1, ok, "1"),
        Err(ClusterError::InvalidTopicName(_))
    ));
    assert!(matches!(
        create("a", 0, 1, ok, "1"),
        Err(ClusterError::InvalidPartitions(_))
    ));
    assert!(matches!(
        create("a", 1, 3, ok, "1"),
        Err(ClusterError::InvalidReplicationFactor(_))
    ));
    for (key, value) in [
        ("cleanup.policy", "compact"),
        ("compression.type", "zstd"),
        ("retention.ms", "1w"),
        ("segment.bytes", "1"),
        ("no.such.config", "1"),
    ] {
        let refused = create("a", 1, 1, key, value);
        assert!(
            matches!(refused, Err(ClusterError::InvalidConfig(_))),
            "{key}: {refused:?}"
        );
    }
    assert!(create("a", 1, 2, ok, "60000").is_ok());
    assert!(matches!(
        create("a", 1, 1, ok, "1"),
        Err(ClusterError::TopicExists(_))
    ));
}

#[test]
fn a_topic_config_falls_back_to_the_cluster_and_then_to_kafka() {
    let mut cluster = Cluster::of(1);
    cluster.ok(C::CreateTopic(new_topic("t", 1, 1, BTreeMap::new())));
    assert_eq!(
        cluster.0.topic_config(TOPIC, "retention.ms"),
        Some("604800000")
    );
    let mut set = |resource, name: &str, value: &str| {
        let ops = vec![ConfigOp::Set(name.to_owned(), value.to_owned())];
        cluster.ok(C::AlterConfig {
            resource,
            ops,
            validate_only: false,
        });
        cluster
            .0
            .topic_config(TOPIC, "retention.ms")
            .map(str::to_owned)
    };
    let shared = set(ConfigResource::ClusterDefault, "log.retention.ms", "5");
    assert_eq!(shared.as_deref(), Some("5"));
    let own = set(ConfigResource::Topic(TOPIC), "retention.ms", "6");
    assert_eq!(own.as_deref(), Some("6"));
}

#[test]
fn one_broker_takes_only_the_configs_in_which_brokers_may_differ() {
    let mut cluster = Cluster::of(1);
    let one = ConfigResource::Broker(BrokerId(0));
    let set = |name: &str, value: &str| ConfigOp::Set(name.to_owned(), value.to_owned());
    let alter = |resource: &ConfigResource, op| C::AlterConfig {
        resource: resource.clone(),
        ops: vec![op],
        validate_only: false,
    };
    for def in config_defs::BROKER {
        let outcome = cluster.apply(alter(&one, set(def.name, def.default)));
        if def.name.ends_with(".replication.throttled.rate") {
            assert_eq!(outcome, Ok(ClusterReply::Done), "{}", def.name);
        } else {
            let refused =
                matches!(&outcome, Err(ClusterError::InvalidConfig(why)) if why.contains(def.name));
            assert!(refused, "{}: {outcome:?}", def.name);
        }
        cluster.ok(alter(
            &ConfigResource::ClusterDefault,
            set(def.name, def.default),
        ));
        // Whatever stands there from an older version can be taken away.
        cluster.ok(alter(&one, ConfigOp::Delete(def.name.to_owned())));
    }
}

#[test]
fn defaults_that_were_set_once_are_known_when_all_are_taken_away() {
    let mut cluster = Cluster::of(1);
    let shared = ConfigResource::ClusterDefault;
    let name = "num.partitions".to_owned();
    for op in [
        ConfigOp::Set(name.clone(), "3".to_owned()),
        ConfigOp::Delete(name),
    ] {
        cluster.ok(C::AlterConfig {
            resource: shared.clone(),
            ops: vec![op],
            validate_only: false,
        });
    }
    assert_eq!(cluster.0.configs.get(&shared).map(|c| c.len()), Some(0));
    assert_eq!(cluster.0.broker_config("num.partitions"), Some("1"));
}

#[test]
fn names_that_differ_in_dots_and_underscores_alone_exclude_each_other() {
    let mut cluster = Cluster::of(1);
    let mut create = |id: u128, name: &str| {
        let mut new = new_topic(name, 1, 1, BTreeMap::new());
        new.id = TopicId(Uuid::from_u128(id));
        cluster.apply(C::CreateTopic(new))
    };
    assert!(create(1, "a.b_c").is_ok());
    for name in ["a_b_c", "a.b.c", "a_b.c"] {
        let refused = create(2, name);
        assert!(
            matches!(&refused, Err(ClusterError::InvalidTopicName(why)) if why.contains("a.b_c")),
            "{name}: {refused:?}"
        );
    }
    assert!(matches!(
        create(2, "a.b_c"),
        Err(ClusterError::TopicExists(_))
    ));
    assert!(create(3, "a-b-c").is_ok());
    assert!(create(4, "a.b_c_").is_ok());
    assert!(create(5, "A.b_c").is_ok());
}
