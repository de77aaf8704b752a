use weir_kafka::codec::{
    ErrorCode,
    messages::{
        alter_configs, create_partitions, create_topics, delete_records, delete_topics,
        describe_configs, describe_topic_partitions, elect_leaders, incremental_alter_configs,
        list_config_resources,
    },
};

use crate::{
    data::produce_to,
    support::{FakeEngine, Served},
};

fn new_topic(name: &str, num_partitions: i32) -> create_topics::Topic {
    create_topics::Topic {
        name: name.into(),
        num_partitions,
        replication_factor: 1,
        ..Default::default()
    }
}

#[tokio::test]
async fn topics_are_created_and_described_in_the_answer() {
    let served = Served::start().await;
    let mut client = served.client().await;
    for version in 2..=7 {
        let mut topic = new_topic(&format!("t{version}"), 3);
        topic.configs = vec![create_topics::Config {
            name: "retention.ms".into(),
            value: Some("1000".into()),
        }];
        let request = create_topics::Request {
            topics: vec![topic],
            ..Default::default()
        };
        let response = client.call(version, &request).await;
        assert_eq!(response.topics[0].error, ErrorCode::NONE);
        if version >= 5 {
            assert_eq!(response.topics[0].num_partitions, 3);
            let configs = response.topics[0].configs.as_ref().expect("configs");
            assert_eq!(configs[0].name, "retention.ms");
        }
        let again = client.call(version, &request).await;
        assert_eq!(again.topics[0].error, ErrorCode::TOPIC_ALREADY_EXISTS);
    }
}

#[tokio::test]
async fn contradictory_topics_are_refused() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let mut assigned = new_topic("assigned", 3);
    assigned.assignments = vec![create_topics::Assignment {
        index: 0,
        broker_ids: vec![1],
    }];
    let mut holes = new_topic("holes", -1);
    holes.replication_factor = -1;
    holes.assignments = vec![create_topics::Assignment {
        index: 1,
        broker_ids: vec![1],
    }];
    let mut null = new_topic("null", 1);
    null.configs = vec![create_topics::Config {
        name: "retention.ms".into(),
        value: None,
    }];
    let topics = vec![
        new_topic("twice", 1),
        new_topic("twice", 2),
        assigned,
        holes,
        null,
    ];
    let request = create_topics::Request {
        topics,
        ..Default::default()
    };
    let response = client.call(7, &request).await;
    let codes: Vec<_> = response
        .topics
        .iter()
        .map(|t| (t.name.as_str(), t.error))
        .collect();
    assert_eq!(
        codes,
        [
            ("twice", ErrorCode::INVALID_REQUEST),
            ("assigned", ErrorCode::INVALID_REQUEST),
            ("holes", ErrorCode::INVALID_REPLICA_ASSIGNMENT),
            ("null", ErrorCode::INVALID_CONFIG),
        ]
    );
}

#[tokio::test]
async fn topics_are_deleted_by_name_and_id() {
    let served = Served::start().await;
    let mut client = served.client().await;
    served.engine.add_topic("a", 1);
    let id = served.engine.add_topic("b", 1);
    let by_name = delete_topics::Request {
        topic_names: vec!["a".into(), "none".into()],
        ..Default::default()
    };
    let response = client.call(5, &by_name).await;
    let codes: Vec<_> = response.results.iter().map(|r| r.error).collect();
    assert_eq!(
        codes,
        [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]
    );
    let by_id = delete_topics::Request {
        topics: vec![
            delete_topics::Topic {
                name: None,
                topic_id: id.0,
            },
            delete_topics::Topic {
                name: None,
                topic_id: uuid::Uuid::new_v4(),
            },
            delete_topics::Topic::default(),
        ],
        ..Default::default()
    };
    let response = client.call(6, &by_id).await;
    let codes: Vec<_> = response
        .results
        .iter()
        .map(|r| (r.name.as_deref(), r.error))
        .collect();
    assert_eq!(
        codes,
        [
            (Some("b"), ErrorCode::NONE),
            (None, ErrorCode::UNKNOWN_TOPIC_ID),
            (None, ErrorCode::INVALID_REQUEST),
        ]
    );
}

#[tokio::test]
async fn topics_grow_but_do_not_shrink() {
    let served = Served::start().await;
    served.engine.add_topic("t", 2);
    let mut client = served.client().await;
    for (count, code) in [(5, ErrorCode::NONE), (3, ErrorCode::INVALID_PARTITIONS)] {
        let topic = create_partitions::Topic {
            name: "t".into(),
            count,
            ..Default::default()
        };
        let request = create_partitions::Request {
            topics: vec![topic],
            ..Default::default()
        };
        assert_eq!(client.call(3, &request).await.results[0].error, code);
    }
}

#[tokio::test]
async fn the_start_of_a_log_moves() {
    let served = Served::start().await;
    served.engine.add_topic("t", 1);
    let mut client = served.client().await;
    client.call(9, &produce_to("t", 0, 1, b"one")).await;
    let partition = |index, offset| delete_records::Partition { index, offset };
    let topics = vec![delete_records::Topic {
        name: "t".into(),
        partitions: vec![partition(0, -1), partition(9, 0)],
    }];
    let request = delete_records::Request {
        topics,
        timeout_ms: 1000,
    };
    let partitions = &client.call(2, &request).await.topics[0].partitions;
    assert_eq!(
        (partitions[0].low_watermark, partitions[0].error),
        (1, ErrorCode::NONE)
    );
    assert_eq!(partitions[1].error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

fn describe(
    resource_type: i8,
    name: &str,
    names: Option<Vec<String>>,
) -> describe_configs::Request {
    let resource_name = name.to_owned();
    describe_configs::Request {
        resources: vec![describe_configs::Resource {
            resource_type,
            resource_name,
            names,
        }],
        include_synonyms: true,
        include_documentation: true,
    }
}

#[tokio::test]
async fn configs_are_altered_and_described() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let op = |name: &str, operation, value: &str| incremental_alter_configs::Config {
        name: name.into(),
        operation,
        value: Some(value.into()),
    };
    let alter = |configs| incremental_alter_configs::Request {
        resources: vec![incremental_alter_configs::Resource {
            resource_type: 2,
            resource_name: "t".into(),
            configs,
        }],
        ..Default::default()
    };
    let request = alter(vec![op("a", 0, "1"), op("b", 0, "2")]);
    assert_eq!(
        client.call(1, &request).await.results[0].error,
        ErrorCode::NONE
    );
    for bad in [
        vec![op("a", 9, "1")],
        vec![op("a", 0, "1"), op("a", 1, "1")],
    ] {
        assert_eq!(
            client.call(1, &alter(bad)).await.results[0].error,
            ErrorCode::INVALID_REQUEST
        );
    }
    let described = client
        .call(4, &describe(2, "t", Some(vec!["b".into()])))
        .await;
    let configs = &described.results[0].configs;
    assert_eq!((configs.len(), configs[0].value.as_deref()), (1, Some("2")));
    assert_eq!(
        (configs[0].config_source, configs[0].synonyms.len()),
        (1, 1)
    );

    let replace = alter_configs::Request {
        resources: vec![alter_configs::Resource {
            resource_type: 2,
            resource_name: "t".into(),
            configs: vec![alter_configs::Config {
                name: "c".into(),
                value: Some("3".into()),
            }],
        }],
        ..Default::default()
    };
    assert_eq!(
        client.call(2, &replace).await.results[0].error,
        ErrorCode::NONE
    );
    let described = client.call(4, &describe(2, "t", None)).await;
    let names: Vec<_> = described.results[0]
        .configs
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(names, ["c"]);
    let wrong = client.call(4, &describe(4, "no number", None)).await;
    assert_eq!(wrong.results[0].error, ErrorCode::INVALID_REQUEST);
}

#[tokio::test]
async fn only_preferred_leaders_are_elected() {
    let engine = FakeEngine {
        led_elsewhere: 1,
        ..FakeEngine::default()
    };
    let served = Served::with(engine, Default::default()).await;
    served.engine.add_topic("t", 2);
    let mut client = served.client().await;
    let topics = vec![elect_leaders::Topic {
        name: "t".into(),
        partitions: vec![0, 1, 2],
    }];
    let mut request = elect_leaders::Request {
        topics: Some(topics),
        ..Default::default()
    };
    let response = client.call(2, &request).await;
    let codes: Vec<_> = response.topics[0]
        .partitions
        .iter()
        .map(|p| p.error)
        .collect();
    let expected = [
        ErrorCode::ELECTION_NOT_NEEDED,
        ErrorCode::NONE,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ];
    assert_eq!(codes, expected);
    request.topics = None;
    let response = client.call(2, &request).await;
    let indexes: Vec<_> = response.topics[0]
        .partitions
        .iter()
        .map(|p| p.index)
        .collect();
    assert_eq!(indexes, [1]);
    request.election_type = 1;
    assert_eq!(
        client.call(2, &request).await.error,
        ErrorCode::INVALID_REQUEST
    );
}

#[tokio::test]
async fn topics_are_described_page_by_page() {
    let served = Served::start().await;
    for (name, partitions) in [("a", 2), ("b", 5), ("c", 1)] {
        served.engine.add_topic(name, partitions);
    }
    let mut client = served.client().await;
    let mut seen = Vec::new();
    let mut cursor = None;
    let mut pages = 0;
    loop {
        let request = describe_topic_partitions::Request {
            topics: vec![],
            partition_limit: 3,
            cursor: cursor.take(),
        };
        let response = client.call(0, &request).await;
        pages += 1;
        for topic in response.topics {
            let name = topic.name.expect("a name");
            seen.extend(
                topic
                    .partitions
                    .iter()
                    .map(|p| format!("{name}{}", p.index)),
            );
        }
        let Some(next) = response.next_cursor else {
            break;
        };
        cursor = Some(describe_topic_partitions::Cursor {
            name: next.name,
            index: next.index,
        });
    }
    assert_eq!(seen, ["a0", "a1", "b0", "b1", "b2", "b3", "b4", "c0"]);
    assert_eq!(pages, 3);
    let request = describe_topic_partitions::Request {
        topics: vec![describe_topic_partitions::Topic {
            name: "none".into(),
        }],
        ..Default::default()
    };
    let response = client.call(0, &request).await;
    assert_eq!(
        response.topics[0].error,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
}

#[tokio::test]
async fn resources_with_configs_are_listed() {
    let served = Served::start().await;
    served.engine.add_topic("t", 1);
    let mut client = served.client().await;
    let mut request = list_config_resources::Request::default();
    assert_eq!(client.call(0, &request).await.config_resources.len(), 0);
    request.resource_types = vec![2];
    let response = client.call(1, &request).await;
    assert_eq!(response.config_resources[0].resource_name, "t");
    request.resource_types = vec![77];
    assert_eq!(
        client.call(1, &request).await.error,
        ErrorCode::UNSUPPORTED_VERSION
    );
}
