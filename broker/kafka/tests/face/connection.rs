use std::{sync::atomic::Ordering, time::Duration};
use tokio::{io::AsyncWriteExt, sync::Semaphore, time::timeout};
use weir_kafka::{
    KafkaConfig,
    codec::{
        ApiKey, ErrorCode,
        messages::{api_versions, heartbeat, metadata, produce},
    },
};

use crate::{
    data::{fetch_from, produce_to},
    support::{Client, FakeEngine, Served},
};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

fn api_versions_request() -> api_versions::Request {
    api_versions::Request {
        software_name: "test".into(),
        software_version: "1.0".into(),
    }
}

async fn submitted(served: &Served, count: usize) -> Vec<Vec<u8>> {
    loop {
        let submitted = served.engine.submitted.lock().expect("whole").clone();
        if submitted.len() >= count {
            return submitted;
        }
        tokio::task::yield_now().await;
    }
}

async fn held_back() -> Served {
    let acknowledgements = Semaphore::new(0).into();
    let engine = FakeEngine {
        acknowledgements,
        ..FakeEngine::default()
    };
    let served = Served::with(engine, KafkaConfig::default()).await;
    served.engine.add_topic("t", 1);
    served
}

#[tokio::test]
async fn api_versions_lists_what_is_served() {
    let served = Served::start().await;
    let mut client = served.client().await;
    for version in 0..=4 {
        let response = client.call(version, &api_versions_request()).await;
        assert_eq!(response.error, ErrorCode::NONE);
        assert_eq!(response.api_keys.len(), ApiKey::ALL.len());
        let produce = response
            .api_keys
            .iter()
            .find(|api| api.api_key == 0)
            .expect("Produce");
        assert_eq!((produce.min_version, produce.max_version), (0, 13));
    }
    let nameless = api_versions::Request::default();
    assert_eq!(
        client.call(3, &nameless).await.error,
        ErrorCode::INVALID_REQUEST
    );
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let id = client.send(99, &api_versions_request()).await;
    let response = client.receive::<api_versions::Request>(0, id).await;
    assert_eq!(response.error, ErrorCode::UNSUPPORTED_VERSION);
    let api = &response.api_keys[0];
    assert_eq!((api.api_key, api.min_version, api.max_version), (18, 0, 4));
    // The connection goes on.
    assert_eq!(
        client.call(4, &api_versions_request()).await.error,
        ErrorCode::NONE
    );
}

#[tokio::test]
async fn writes_of_a_connection_overlap_and_are_answered_in_order() {
    let served = held_back().await;
    let mut client = served.client().await;
    let mut ids = Vec::new();
    for records in ["a", "b", "c"] {
        ids.push(
            client
                .send(9, &produce_to("t", 0, -1, records.as_bytes()))
                .await,
        );
    }
    assert_eq!(submitted(&served, 3).await, [b"a", b"b", b"c"]);
    served.engine.acknowledgements.add_permits(3);
    for (offset, id) in ids.into_iter().enumerate() {
        let response = client.receive::<produce::Request>(9, id).await;
        assert_eq!(response.topics[0].partitions[0].base_offset, offset as i64);
    }
}

#[tokio::test]
async fn other_requests_wait_until_the_writes_before_them_are_answered() {
    let served = held_back().await;
    let mut client = served.client().await;
    let write = client.send(9, &produce_to("t", 0, -1, b"a")).await;
    let fetch = client.send(12, &fetch_from("t", &[0], 0)).await;
    submitted(&served, 1).await;
    // Another connection is not held up, and gives the first one time to do wrong.
    for _ in 0..20 {
        served.client().await.call(4, &api_versions_request()).await;
    }
    assert_eq!(served.engine.fetches_begun.load(Ordering::SeqCst), 0);
    served.engine.acknowledgements.add_permits(1);
    client.receive::<produce::Request>(9, write).await;
    client
        .receive::<weir_kafka::codec::messages::fetch::Request>(12, fetch)
        .await;
}

#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let served = held_back().await;
    let mut client = served.client().await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(client.send(9, &produce_to("t", 0, -1, b"a")).await);
    }
    submitted(&served, 64).await;
    for _ in 0..20 {
        served.client().await.call(4, &api_versions_request()).await;
    }
    assert_eq!(submitted(&served, 64).await.len(), 64);
    served.engine.acknowledgements.add_permits(100);
    for id in ids {
        client.receive::<produce::Request>(9, id).await;
    }
}

#[tokio::test]
async fn a_write_with_acks_0_is_not_answered_and_its_failure_closes_the_connection() {
    let served = Served::start().await;
    served.engine.add_topic("t", 1);
    let mut client = served.client().await;
    client.send(9, &produce_to("t", 0, 0, b"a")).await;
    // The next answer is that of the next request.
    client.call(4, &api_versions_request()).await;
    assert_eq!(submitted(&served, 1).await.len(), 1);
    client.send(9, &produce_to("nowhere", 0, 0, b"a")).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn writes_with_acks_0_just_before_the_client_leaves_are_taken() {
    let served = Served::start().await;
    served.engine.add_topic("t", 1);
    let mut client = served.client().await;
    for _ in 0..10 {
        client.send(9, &produce_to("t", 0, 0, b"a")).await;
    }
    client.socket.shutdown().await.expect("it is open");
    assert_eq!(submitted(&served, 10).await.len(), 10);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_stop_finishes_what_was_begun() {
    let served = held_back().await;
    let mut client = served.client().await;
    let id = client.send(9, &produce_to("t", 0, -1, b"a")).await;
    submitted(&served, 1).await;
    served.stop.send(true).expect("the face listens");
    served.engine.acknowledgements.add_permits(1);
    client.receive::<produce::Request>(9, id).await;
    assert!(client.is_closed().await);
    timeout(LONG, served.task)
        .await
        .expect("it ends")
        .expect("without a panic");
}

#[tokio::test]
async fn a_stop_gives_up_what_does_not_end() {
    let acknowledgements = Semaphore::new(0).into();
    let engine = FakeEngine {
        acknowledgements,
        ..FakeEngine::default()
    };
    let config = KafkaConfig {
        drain_max: Duration::from_millis(50),
        ..KafkaConfig::default()
    };
    let served = Served::with(engine, config).await;
    served.engine.add_topic("t", 1);
    let mut client = served.client().await;
    client.send(9, &produce_to("t", 0, -1, b"a")).await;
    submitted(&served, 1).await;
    served.stop.send(true).expect("the face listens");
    timeout(LONG, served.task)
        .await
        .expect("it ends")
        .expect("without a panic");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_waiting_fetch() {
    let config = KafkaConfig {
        drain_max: Duration::from_secs(3600),
        ..KafkaConfig::default()
    };
    let served = Served::with(FakeEngine::default(), config).await;
    served.engine.add_topic("t", 1);
    let mut client = served.client().await;
    let mut request = fetch_from("t", &[0], 0);
    request.max_wait_ms = i32::MAX;
    client.send(12, &request).await;
    while served.engine.fetches_begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    // With a fetch still waiting the face would not end within this time.
    served.stop.send(true).expect("the face listens");
    timeout(LONG, served.task)
        .await
        .expect("it ends")
        .expect("without a panic");
}

#[tokio::test]
async fn connections_are_bounded() {
    let config = KafkaConfig {
        connections_max: 1,
        ..KafkaConfig::default()
    };
    let served = Served::with(FakeEngine::default(), config).await;
    let mut first = served.client().await;
    first.call(4, &api_versions_request()).await;
    assert!(served.client().await.is_closed().await);
    first.call(4, &api_versions_request()).await;
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let config = KafkaConfig {
        idle_max: Duration::from_millis(20),
        ..KafkaConfig::default()
    };
    let served = Served::with(FakeEngine::default(), config).await;
    assert!(served.client().await.is_closed().await);
}

#[tokio::test]
async fn requests_sent_byte_by_byte_and_all_at_once_are_understood() {
    let served = Served::start().await;
    let mut client: Client = served.client().await;
    let request = metadata::Request {
        topics: None,
        ..Default::default()
    };
    for byte in crate::support::client::frame(12, 7, &request) {
        client
            .socket
            .write_all(&[byte])
            .await
            .expect("the face reads");
    }
    client.receive::<metadata::Request>(12, 7).await;
    let beat = heartbeat::Request {
        group: "g".into(),
        ..Default::default()
    };
    let mut frames = Vec::new();
    for id in 0..50 {
        frames.extend_from_slice(&crate::support::client::frame(4, id, &beat));
    }
    client
        .socket
        .write_all(&frames)
        .await
        .expect("the face reads");
    for id in 0..50 {
        client.receive::<heartbeat::Request>(4, id).await;
    }
}
