use weir_api::{Holdings, LogDir, LogView, Placement, Reassign, ReplicaView, Result, TopicRef};
use weir_kafka::codec::{
    ErrorCode,
    messages::{alter_partition_reassignments, describe_log_dirs, list_partition_reassignments},
};
use weir_types::{BrokerId, TopicId};

use crate::support::{FakeEngine, Served, partition_view};

/// One partition of each topic moves to broker 3; broker 9 is unknown.
#[async_trait::async_trait]
impl Placement for FakeEngine {
    async fn alter_reassignments(
        &self,
        changes: Vec<Reassign>,
        same_factor: bool,
    ) -> Result<Vec<Result<()>>> {
        let judge = |change: Reassign| {
            self.find(&change.topic, change.index)?;
            let target = change
                .target
                .ok_or(weir_api::Error::NoReassignmentInProgress)?;
            if target.contains(&BrokerId(9)) {
                let why = "no broker 9 is registered".to_owned();
                return Err(weir_api::Error::InvalidReplicaAssignment(why));
            }
            if same_factor && target.len() != 2 {
                let why = "another factor".to_owned();
                return Err(weir_api::Error::InvalidReplicationFactor(why));
            }
            Ok(())
        };
        Ok(changes.into_iter().map(judge).collect())
    }

    fn reassignments(&self) -> Vec<ReplicaView> {
        let names: Vec<_> = self.state().topics.keys().cloned().collect();
        let views = names.into_iter().map(|topic| {
            let mut partition = partition_view(0, 1);
            partition.replicas = [3, 1, 2].map(BrokerId).to_vec();
            partition.adding = vec![BrokerId(3)];
            partition.removing = vec![BrokerId(2)];
            ReplicaView {
                topic,
                topic_id: TopicId::default(),
                internal: false,
                partition,
                min_isr: 1,
                bytes: None,
            }
        });
        views.collect()
    }

    async fn cordon(&self, _: BrokerId, _: bool) -> Result<Holdings> {
        Ok(Holdings::default())
    }

    fn log_dir(&self) -> Result<LogDir> {
        let names: Vec<_> = self.state().topics.keys().cloned().collect();
        let logs = names.iter().flat_map(|topic| {
            [1, 0].map(|index| LogView {
                topic: topic.clone(),
                index,
                bytes: 1000 + u64::from(index.unsigned_abs()),
                lag: 0,
            })
        });
        Ok(LogDir {
            path: "/data".to_owned(),
            total_bytes: 10_000,
            usable_bytes: u64::MAX,
            logs: logs.collect(),
        })
    }
}

fn partition(index: i32, replicas: Option<Vec<i32>>) -> alter_partition_reassignments::Partition {
    alter_partition_reassignments::Partition { index, replicas }
}

#[tokio::test]
async fn each_reassignment_has_its_own_answer() {
    let served = Served::start().await;
    served.engine.add_topic("t", 3);
    assert!(served.engine.find(&TopicRef::Name("t".into()), 0).is_ok());
    let mut client = served.client().await;
    for version in 0..=1 {
        let request = alter_partition_reassignments::Request {
            allow_replication_factor_change: false,
            topics: vec![
                alter_partition_reassignments::Topic {
                    name: "t".into(),
                    partitions: vec![
                        partition(0, Some(vec![2, 3])),
                        partition(1, Some(vec![9, 1])),
                        partition(2, None),
                        partition(7, Some(vec![1, 2])),
                        partition(0, Some(vec![2])),
                    ],
                },
                alter_partition_reassignments::Topic {
                    name: "none".into(),
                    partitions: vec![partition(0, None)],
                },
            ],
            ..Default::default()
        };
        let response = client.call(version, &request).await;
        assert_eq!(response.error, ErrorCode::NONE);
        let codes = |topic: usize| -> Vec<_> {
            let partitions = response.topics[topic].partitions.iter();
            partitions.map(|p| (p.index, p.error)).collect()
        };
        let last = if version == 0 {
            ErrorCode::NONE
        } else {
            ErrorCode::INVALID_REPLICATION_FACTOR
        };
        assert_eq!(
            codes(0),
            [
                (0, ErrorCode::NONE),
                (1, ErrorCode::INVALID_REPLICA_ASSIGNMENT),
                (2, ErrorCode::NO_REASSIGNMENT_IN_PROGRESS),
                (7, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                (0, last),
            ]
        );
        assert_eq!(codes(1), [(0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
        let message = response.topics[0].partitions[1].message.as_deref();
        assert!(
            message.is_some_and(|m| m.contains("broker 9")),
            "{message:?}"
        );
    }
}

#[tokio::test]
async fn reassignments_under_way_are_listed_as_asked() {
    let served = Served::start().await;
    served.engine.add_topic("a", 2);
    served.engine.add_topic("b", 2);
    let mut client = served.client().await;
    let all = list_partition_reassignments::Request {
        topics: None,
        ..Default::default()
    };
    let response = client.call(0, &all).await;
    let names: Vec<_> = response.topics.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let first = &response.topics[0].partitions[0];
    assert_eq!(first.replicas, [3, 1, 2]);
    assert_eq!(first.adding_replicas, [3]);
    assert_eq!(first.removing_replicas, [2]);
    let some = list_partition_reassignments::Request {
        topics: Some(vec![
            list_partition_reassignments::Topic {
                name: "b".into(),
                partition_indexes: vec![0],
            },
            list_partition_reassignments::Topic {
                name: "a".into(),
                partition_indexes: vec![1],
            },
        ]),
        ..Default::default()
    };
    let response = client.call(0, &some).await;
    let names: Vec<_> = response.topics.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["b"], "partition 1 of a stays where it is");
}

#[tokio::test]
async fn a_folder_is_described_with_its_logs_and_its_volume() {
    let served = Served::start().await;
    served.engine.add_topic("a", 2);
    served.engine.add_topic("b", 2);
    let mut client = served.client().await;
    for version in 1..=4 {
        let all = describe_log_dirs::Request { topics: None };
        let response = client.call(version, &all).await;
        assert_eq!(response.error, ErrorCode::NONE);
        let [dir] = &response.results[..] else {
            panic!("one folder a broker: {response:?}")
        };
        assert_eq!((dir.log_dir.as_str(), dir.topics.len()), ("/data", 2));
        let sizes: Vec<_> = dir.topics[0].partitions.iter().map(|p| p.size).collect();
        assert_eq!(sizes, [1000, 1001]);
        let volume = if version >= 4 {
            (10_000, i64::MAX)
        } else {
            (-1, -1)
        };
        assert_eq!((dir.total_bytes, dir.usable_bytes), volume);
        let some = describe_log_dirs::Request {
            topics: Some(vec![describe_log_dirs::Topic {
                name: "b".into(),
                partitions: vec![1],
            }]),
        };
        let response = client.call(version, &some).await;
        let topics = &response.results[0].topics;
        assert_eq!(topics.len(), 1);
        assert_eq!(topics[0].partitions[0].index, 1);
    }
}
