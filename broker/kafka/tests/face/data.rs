use bytes::Bytes;
use std::sync::atomic::Ordering;
use weir_kafka::codec::{
    ErrorCode, Records,
    messages::{fetch, init_producer_id, list_offsets, metadata, offset_for_leader_epoch, produce},
};
use weir_types::TopicId;

use crate::support::{Client, FakeEngine, Place, Served};

pub fn produce_to(topic: &str, index: i32, acks: i16, records: &[u8]) -> produce::Request {
    let records = Some(Records::from(Bytes::copy_from_slice(records)));
    produce::Request {
        acks,
        timeout_ms: 1000,
        topics: vec![produce::Topic {
            name: topic.to_owned(),
            partitions: vec![produce::Partition { index, records }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub fn fetch_from(topic: &str, indexes: &[i32], offset: i64) -> fetch::Request {
    let partition = |index: &i32| fetch::Partition {
        index: *index,
        fetch_offset: offset,
        max_bytes: 1 << 20,
        ..Default::default()
    };
    fetch::Request {
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 22,
        topics: vec![fetch::Topic {
            name: topic.to_owned(),
            partitions: indexes.iter().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn by_id(mut request: fetch::Request, id: TopicId) -> fetch::Request {
    for topic in &mut request.topics {
        topic.topic_id = id.0;
    }
    request
}

fn records(response: &fetch::Response, topic: usize, partition: usize) -> Bytes {
    let partition = &response.topics[topic].partitions[partition];
    let records = partition.records.as_ref().and_then(Records::in_memory);
    records.cloned().unwrap_or_default()
}

#[tokio::test]
async fn what_is_produced_can_be_fetched_in_every_version() {
    let served = Served::start().await;
    let id = served.engine.add_topic("t", 1);
    let mut client = served.client().await;
    for version in 3..=13 {
        let mut request = produce_to("t", 0, -1, b"hello");
        request.topics[0].topic_id = id.0;
        let response = client.call(version, &request).await;
        let result = &response.topics[0].partitions[0];
        assert_eq!(
            (result.error, result.base_offset),
            (ErrorCode::NONE, i64::from(version) - 3)
        );
    }
    for version in 4..=18 {
        let response = client
            .call(version, &by_id(fetch_from("t", &[0], 10), id))
            .await;
        assert_eq!(response.topics[0].partitions[0].high_watermark, 11);
        assert_eq!(&records(&response, 0, 0)[..], b"hello", "version {version}");
    }
}

#[tokio::test]
async fn large_records_arrive_whole_from_memory_and_files() {
    for place in [Place::Memory, Place::File, Place::ColdFile] {
        let engine = FakeEngine {
            place,
            ..FakeEngine::default()
        };
        let served = Served::with(engine, Default::default()).await;
        served.engine.add_topic("t", 3);
        let mut client = served.client().await;
        let large: Vec<u8> = (0..3_000_000u32).flat_map(|n| n.to_le_bytes()).collect();
        // Too short a header for a batch is kept verbatim, so make its claimed length too long.
        let mut large = large;
        large[8..12].copy_from_slice(&[0x7f, 0, 0, 0]);
        client.call(12, &produce_to("t", 0, 1, &large)).await;
        client.call(12, &produce_to("t", 2, 1, b"small")).await;
        for _ in 0..2 {
            let mut request = fetch_from("t", &[0, 1, 2], 0);
            request.max_bytes = i32::MAX;
            let response = client.call(12, &request).await;
            assert_eq!(records(&response, 0, 0), large);
            assert_eq!(records(&response, 0, 1), Bytes::new());
            assert_eq!(&records(&response, 0, 2)[..], b"small");
        }
    }
}

#[tokio::test]
async fn refused_partitions_do_not_disturb_the_others() {
    let served = Served::start().await;
    served.engine.add_topic("t", 2);
    let mut client = served.client().await;
    let mut request = produce_to("t", 0, 1, b"good");
    for (index, records) in [
        (1, Some(&b"bad"[..])),
        (7, Some(b"x")),
        (0, None),
        (0, Some(b"")),
    ] {
        let records = records.map(|r| Records::from(Bytes::from_static(r)));
        request.topics[0]
            .partitions
            .push(produce::Partition { index, records });
    }
    request.topics.push(produce::Topic {
        name: "none".into(),
        partitions: request.topics[0].partitions[..1].to_vec(),
        ..Default::default()
    });
    let response = client.call(9, &request).await;
    let codes = |topic: usize| -> Vec<ErrorCode> {
        response.topics[topic]
            .partitions
            .iter()
            .map(|p| p.error)
            .collect()
    };
    assert_eq!(
        codes(0),
        [
            ErrorCode::NONE,
            ErrorCode::CORRUPT_MESSAGE,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::INVALID_RECORD,
            ErrorCode::INVALID_RECORD,
        ]
    );
    assert_eq!(codes(1), [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    let response = client.call(9, &produce_to("t", 0, 5, b"x")).await;
    assert_eq!(
        response.topics[0].partitions[0].error,
        ErrorCode::INVALID_REQUIRED_ACKS
    );
    let response = client.call(13, &produce_to("t", 0, 1, b"x")).await;
    assert_eq!(
        response.topics[0].partitions[0].error,
        ErrorCode::UNKNOWN_TOPIC_ID
    );
}

#[tokio::test]
async fn the_leader_elsewhere_is_named_with_its_address() {
    let engine = FakeEngine {
        led_elsewhere: 1,
        ..FakeEngine::default()
    };
    let served = Served::with(engine, Default::default()).await;
    let id = served.engine.add_topic("t", 2);
    let mut client = served.client().await;
    let response = client.call(10, &produce_to("t", 1, 1, b"x")).await;
    let result = &response.topics[0].partitions[0];
    assert_eq!(result.error, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(
        (
            result.current_leader.leader_id,
            result.current_leader.leader_epoch
        ),
        (2, 7)
    );
    assert_eq!(
        (
            response.node_endpoints[0].node_id,
            response.node_endpoints[0].port
        ),
        (2, 9)
    );
    let response = client.call(16, &by_id(fetch_from("t", &[1], 0), id)).await;
    let result = &response.topics[0].partitions[0];
    assert_eq!(result.error, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(
        (
            result.current_leader.leader_id,
            result.current_leader.leader_epoch
        ),
        (2, 7)
    );
    assert_eq!(response.node_endpoints[0].node_id, 2);
}

#[tokio::test]
async fn a_session_tells_only_what_changed() {
    let served = Served::start().await;
    let id = served.engine.add_topic("t", 2);
    let mut client = served.client().await;
    let mut request = by_id(fetch_from("t", &[0, 1], 0), id);
    request.session_epoch = 0;
    let response = client.call(17, &request).await;
    assert_ne!(response.session_id, 0);
    assert_eq!(response.topics[0].partitions.len(), 2);

    let mut next = fetch::Request {
        session_id: response.session_id,
        session_epoch: 1,
        min_bytes: 1,
        max_bytes: 1 << 20,
        ..Default::default()
    };
    let response = client.call(17, &next).await;
    assert_eq!(
        (response.error, response.topics.len()),
        (ErrorCode::NONE, 0)
    );

    client.call(12, &produce_to("t", 1, 1, b"new")).await;
    next.session_epoch = 2;
    let response = client.call(17, &next).await;
    assert_eq!(response.topics.len(), 1);
    assert_eq!(response.topics[0].partitions[0].index, 1);
    assert_eq!(&records(&response, 0, 0)[..], b"new");

    let response = client.call(17, &next).await;
    assert_eq!(response.error, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    next.session_id = 12345;
    let response = client.call(17, &next).await;
    assert_eq!(response.error, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[tokio::test]
async fn a_fetch_waits_for_records() {
    let served = Served::start().await;
    served.engine.add_topic("t", 1);
    let mut waiting = served.client().await;
    let mut request = fetch_from("t", &[0], 0);
    request.max_wait_ms = 60_000;
    let id = waiting.send(12, &request).await;
    while served.engine.fetches_begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    served
        .client()
        .await
        .call(9, &produce_to("t", 0, 1, b"at last"))
        .await;
    let response = waiting.receive::<fetch::Request>(12, id).await;
    assert_eq!(&records(&response, 0, 0)[..], b"at last");
}

#[tokio::test]
async fn whoever_claims_to_be_a_replica_is_refused() {
    let served = Served::start().await;
    served.engine.add_topic("t", 1);
    let mut request = fetch_from("t", &[0], 0);
    request.replica_id = 2;
    let response = served.client().await.call(12, &request).await;
    let error = response.topics[0].partitions[0].error;
    assert_eq!(error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
}

#[tokio::test]
async fn offsets_are_found_by_every_kind_of_question() {
    let served = Served::start().await;
    served.engine.add_topic("t", 1);
    let mut client = served.client().await;
    client.call(9, &produce_to("t", 0, 1, b"one")).await;
    let ask = |timestamps: &[i64]| list_offsets::Request {
        topics: vec![list_offsets::Topic {
            name: "t".into(),
            partitions: timestamps
                .iter()
                .enumerate()
                .map(|(at, timestamp)| list_offsets::Partition {
                    index: if at == 0 { 0 } else { at as i32 + 10 },
                    timestamp: *timestamp,
                    ..Default::default()
                })
                .collect(),
        }],
        ..Default::default()
    };
    for (version, timestamp, offset) in [(1, -2, 0), (1, -1, 1), (10, -4, 0), (10, 1, 1)] {
        let response = client.call(version, &ask(&[timestamp])).await;
        let result = &response.topics[0].partitions[0];
        assert_eq!(
            (result.error, result.offset),
            (ErrorCode::NONE, offset),
            "{timestamp}"
        );
    }
    let response = client.call(6, &ask(&[-3])).await;
    assert_eq!(
        response.topics[0].partitions[0].error,
        ErrorCode::UNSUPPORTED_VERSION
    );
    let mut twice = ask(&[-1]);
    let again = twice.topics[0].partitions[0].clone();
    twice.topics[0].partitions.push(again);
    let response = client.call(6, &twice).await;
    let codes: Vec<_> = response.topics[0]
        .partitions
        .iter()
        .map(|p| p.error)
        .collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST; 2]);
}

fn ask_for(name: &str) -> metadata::Request {
    let topic = metadata::Topic {
        name: Some(name.into()),
        ..Default::default()
    };
    metadata::Request {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: false,
        ..Default::default()
    }
}

#[tokio::test]
async fn metadata_lists_brokers_on_the_callers_listener() {
    let served = Served::start().await;
    served.engine.add_topic("t", 2);
    served.engine.add_topic("__consumer_offsets", 1);
    let mut client = served.client().await;
    for version in 0..=13 {
        let mut all = metadata::Request {
            topics: None,
            ..Default::default()
        };
        if version == 0 {
            all.topics = Some(vec![]);
        }
        let response = client.call(version, &all).await;
        assert_eq!(response.brokers.len(), 2);
        assert_eq!(response.brokers[0].port, i32::from(served.port));
        let names: Vec<_> = response.topics.iter().map(|t| t.name.as_deref()).collect();
        assert_eq!(names, [Some("__consumer_offsets"), Some("t")]);
        assert_eq!(response.topics[1].partitions.len(), 2);
    }
    let none = metadata::Request {
        topics: Some(vec![]),
        ..Default::default()
    };
    assert_eq!(client.call(13, &none).await.topics.len(), 0);
}

#[tokio::test]
async fn topics_are_found_by_id_created_on_first_use_or_refused() {
    let served = Served::start().await;
    let id = served.engine.add_topic("t", 1);
    let mut client = served.client().await;
    let by_id = |id| metadata::Request {
        topics: Some(vec![metadata::Topic {
            topic_id: id,
            name: None,
        }]),
        ..Default::default()
    };
    let response = client.call(13, &by_id(id.0)).await;
    assert_eq!(response.topics[0].name.as_deref(), Some("t"));
    let response = client.call(13, &by_id(uuid::Uuid::new_v4())).await;
    assert_eq!(response.topics[0].error, ErrorCode::UNKNOWN_TOPIC_ID);
    let response = client.call(10, &ask_for("new")).await;
    assert_eq!(
        response.topics[0].error,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    let response = client.call(10, &ask_for("no good/name")).await;
    assert_eq!(response.topics[0].error, ErrorCode::INVALID_TOPIC);
    let mut create = ask_for("new");
    create.allow_auto_topic_creation = true;
    let response = client.call(10, &create).await;
    assert_eq!(
        (
            response.topics[0].error,
            response.topics[0].partitions.len()
        ),
        (ErrorCode::NONE, 1)
    );
}

#[tokio::test]
async fn producers_get_ids_and_epochs() {
    let served = Served::start().await;
    let mut client: Client = served.client().await;
    let mut request = init_producer_id::Request {
        transaction_timeout_ms: 1,
        ..Default::default()
    };
    let response = client.call(5, &request).await;
    assert_eq!((response.producer_id, response.producer_epoch), (5, 0));
    (request.producer_id, request.producer_epoch) = (5, 3);
    let response = client.call(5, &request).await;
    assert_eq!((response.producer_id, response.producer_epoch), (5, 4));
    request.producer_epoch = -1;
    assert_eq!(
        client.call(5, &request).await.error,
        ErrorCode::INVALID_REQUEST
    );
}

#[tokio::test]
async fn epochs_have_ends() {
    let served = Served::start().await;
    served.engine.add_topic("t", 1);
    let partition = |index| offset_for_leader_epoch::Partition {
        index,
        leader_epoch: 6,
        ..Default::default()
    };
    let request = offset_for_leader_epoch::Request {
        topics: vec![offset_for_leader_epoch::Topic {
            name: "t".into(),
            partitions: vec![partition(0), partition(4)],
        }],
        ..Default::default()
    };
    let response = served.client().await.call(4, &request).await;
    let partitions = &response.topics[0].partitions;
    assert_eq!(
        (partitions[0].leader_epoch, partitions[0].end_offset),
        (6, 3)
    );
    assert_eq!(partitions[1].error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}
