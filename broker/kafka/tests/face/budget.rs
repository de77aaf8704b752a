//! Bytes of requests in work.

use tokio::sync::Semaphore;
use weir_kafka::{
    KafkaConfig,
    codec::{
        ErrorCode,
        messages::{api_versions, produce},
    },
};

use crate::{
    data::produce_to,
    support::{FakeEngine, Served},
};

const CONNECTION_BYTES: usize = 64 * 1024;

/// Nothing is acknowledged before the test says so.
async fn held_back() -> Served {
    let engine = FakeEngine {
        acknowledgements: Semaphore::new(0).into(),
        ..FakeEngine::default()
    };
    let config = KafkaConfig {
        connection_bytes_max: CONNECTION_BYTES,
        ..KafkaConfig::default()
    };
    let served = Served::with(engine, config).await;
    served.engine.add_topic("t", 1);
    served
}

async fn submitted(served: &Served, count: usize) {
    while served.engine.submitted.lock().expect("whole").len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_connection_has_only_so_many_bytes_in_work() {
    let served = held_back().await;
    let mut greedy = served.client().await;
    let half = produce_to("t", 0, -1, &vec![7; CONNECTION_BYTES / 2 - 1024]);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(greedy.send(9, &half).await);
    }
    submitted(&served, 2).await;
    // The others go on, for longer than the rest of the greedy one's would take.
    let mut other = served.client().await;
    for _ in 0..50 {
        other.call(4, &api_versions::Request::default()).await;
    }
    let id = other.send(9, &produce_to("t", 0, -1, b"other")).await;
    submitted(&served, 3).await;
    let sizes: Vec<usize> = served
        .engine
        .submitted
        .lock()
        .expect("whole")
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(sizes[2], 5, "the third is the other's: {sizes:?}");
    served.engine.acknowledgements.add_permits(100);
    other.receive::<produce::Request>(9, id).await;
    for id in ids {
        let response = greedy.receive::<produce::Request>(9, id).await;
        assert_eq!(response.topics[0].partitions[0].error, ErrorCode::NONE);
    }
}

#[tokio::test]
async fn a_request_larger_than_the_connections_budget_is_taken_alone() {
    let served = held_back().await;
    served.engine.acknowledgements.add_permits(100);
    let mut client = served.client().await;
    let large = produce_to("t", 0, -1, &vec![7; 5 * CONNECTION_BYTES]);
    let small = produce_to("t", 0, -1, b"small");
    let mut ids = Vec::new();
    for request in [&small, &large, &large, &small] {
        ids.push(client.send(9, request).await);
    }
    for id in ids {
        let response = client.receive::<produce::Request>(9, id).await;
        assert_eq!(response.topics[0].partitions[0].error, ErrorCode::NONE);
    }
}
