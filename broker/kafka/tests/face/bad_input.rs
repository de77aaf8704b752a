use tokio::io::AsyncWriteExt;
use weir_kafka::KafkaConfig;
use weir_kafka::codec::{ErrorCode, messages::metadata};

use crate::{
    data::produce_to,
    support::{Client, FakeEngine, Served, client::frame},
};

async fn sends(served: &Served, bytes: &[u8]) -> Client {
    let mut client = served.client().await;
    client
        .socket
        .write_all(bytes)
        .await
        .expect("the face reads");
    client
}

/// The face still serves others.
async fn assert_alive(served: &Served) {
    let request = metadata::Request {
        topics: None,
        ..Default::default()
    };
    let response = served.client().await.call(12, &request).await;
    assert_eq!(response.brokers.len(), 2);
}

async fn assert_closes(bytes: &[u8]) {
    let served = Served::start().await;
    assert!(sends(&served, bytes).await.is_closed().await, "{bytes:?}");
    assert_alive(&served).await;
}

/// A frame with a good length: key, version, correlation id, no client id, then `body`.
fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut out = ((10 + body.len()) as i32).to_be_bytes().to_vec();
    out.extend_from_slice(&key.to_be_bytes());
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
    out.extend_from_slice(body);
    out
}

#[tokio::test]
async fn oversized_frames_close_the_connection() {
    assert_closes(&[0x7f, 0xff, 0xff, 0xff]).await;
    assert_closes(&(100 * 1024 * 1024 + 1i32).to_be_bytes()).await;
}

#[tokio::test]
async fn negative_lengths_close_the_connection() {
    assert_closes(&[0xff, 0xff, 0xff, 0xff]).await;
}

#[tokio::test]
async fn other_protocols_are_turned_away() {
    assert_closes(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_closes(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]).await;
}

#[tokio::test]
async fn empty_and_tiny_frames_close_the_connection() {
    assert_closes(&[0, 0, 0, 0]).await;
    assert_closes(&[0, 0, 0, 3, 0, 3, 0]).await;
    assert_closes(&[0, 0, 0, 8, 0, 3, 0, 12, 0, 0, 0, 1]).await;
}

#[tokio::test]
async fn unknown_apis_and_versions_close_the_connection() {
    assert_closes(&request(999, 0, &[])).await;
    assert_closes(&request(-1, 0, &[])).await;
    assert_closes(&request(3, 14, &[])).await;
    assert_closes(&request(3, -1, &[])).await;
    // Advertised for librdkafka's sake, but not served.
    assert_closes(&request(0, 2, &[])).await;
}

#[tokio::test]
async fn absurd_array_lengths_close_the_connection() {
    // Metadata v1, Fetch v4 and OffsetFetch v6 with arrays of two thousand million topics.
    assert_closes(&request(3, 1, &[0x7f, 0xff, 0xff, 0xff])).await;
    let mut fetch = vec![0xff; 4];
    fetch.extend_from_slice(&[0; 13]);
    fetch.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    assert_closes(&request(1, 4, &fetch)).await;
    assert_closes(&request(9, 6, &[0, 2, b'g', 0xff, 0xff, 0xff, 0xff, 0x0f])).await;
}

#[tokio::test]
async fn strings_that_are_not_utf_8_close_the_connection() {
    assert_closes(&request(3, 1, &[0, 0, 0, 1, 0, 2, 0xc3, 0x28])).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_frame_disturbs_nobody() {
    let served = Served::start().await;
    let whole = frame(9, 1, &produce_to("t", 0, 1, b"records"));
    for len in [1, 4, 9, whole.len() - 1] {
        let mut client = sends(&served, &whole[..len]).await;
        client.socket.shutdown().await.expect("it is open");
        assert!(client.is_closed().await);
    }
    assert_alive(&served).await;
}

#[tokio::test]
async fn large_requests_that_never_arrive_hold_up_nobody() {
    let config = KafkaConfig {
        request_bytes_max: 8 * 1024 * 1024,
        ..KafkaConfig::default()
    };
    let served = Served::with(FakeEngine::default(), config).await;
    // Each claims a frame of 4 MiB, and more of them together than there is room for.
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut bytes = (4 * 1024 * 1024i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0; 1000]);
        waiting.push(sends(&served, &bytes).await);
    }
    assert_alive(&served).await;
    drop(waiting);
    // Their room is given back.
    let records = vec![7; 3 * 1024 * 1024];
    served.engine.add_topic("t", 1);
    let request = produce_to("t", 0, 1, &records);
    let response = served.client().await.call(9, &request).await;
    assert_eq!(response.topics[0].partitions[0].error, ErrorCode::NONE);
}

#[tokio::test]
async fn a_good_request_before_a_bad_one_is_answered() {
    let served = Served::start().await;
    let all = metadata::Request {
        topics: None,
        ..Default::default()
    };
    let mut bytes = frame(12, 5, &all).to_vec();
    bytes.extend_from_slice(&request(999, 0, &[]));
    let mut client = sends(&served, &bytes).await;
    let response = client.receive::<metadata::Request>(12, 5).await;
    assert_eq!(response.error, ErrorCode::NONE);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn random_bytes_never_stop_the_face() {
    let served = Served::start().await;
    let mut state: u64 = 7;
    for _ in 0..200 {
        let mut body = Vec::new();
        for _ in 0..40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            body.push((state >> 56) as u8);
        }
        let key = i16::from(body[0] % 76);
        let version = i16::from(body[1] % 14);
        let mut client = sends(&served, &request(key, version, &body)).await;
        client.socket.shutdown().await.expect("it is open");
        // Whatever comes back, it ends.
        while client.frame().await.is_some() {}
    }
    assert_alive(&served).await;
}
