//! What a message costs in the codec, there and back: `make bench`.

#[path = "../../benches/median.rs"]
mod median;

use bytes::Bytes;
use median::{heading, measure};
use std::hint::black_box;
use weir_kafka::codec::{
    Message, decode_message, encode_message,
    messages::{fetch, produce},
};

const PRODUCE_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 12;
/// Large enough to be taken along by reference, as most batches are.
const RECORDS: &[u8] = &[7; 16 << 10];

fn round_trip<M: Message>(version: i16, message: &M) -> M {
    let encoded = encode_message(version, black_box(message));
    let bytes = encoded.into_bytes().expect("all in memory");
    decode_message(version, bytes).expect("what was encoded")
}

fn produce_request() -> produce::Request {
    let partition = |index| produce::Partition {
        index,
        records: Some(Bytes::from_static(RECORDS).into()),
    };
    produce::Request {
        acks: -1,
        timeout_ms: 30_000,
        topics: vec![produce::Topic {
            name: "topic".to_owned(),
            partitions: (0..10).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_request() -> fetch::Request {
    let partition = |index| fetch::Partition {
        index,
        fetch_offset: 1_000_000,
        max_bytes: 1 << 20,
        ..Default::default()
    };
    fetch::Request {
        max_wait_ms: 500,
        min_bytes: 1,
        topics: vec![fetch::Topic {
            name: "topic".to_owned(),
            partitions: (0..100).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_response() -> fetch::Response {
    let partition = |index| fetch::PartitionResult {
        index,
        high_watermark: 2_000_000,
        records: Some(Bytes::from_static(RECORDS).into()),
        ..Default::default()
    };
    fetch::Response {
        topics: vec![fetch::TopicResult {
            name: "topic".to_owned(),
            partitions: (0..10).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn main() {
    heading();
    let produce = produce_request();
    assert_eq!(round_trip(PRODUCE_VERSION, &produce), produce);
    measure("Produce, 10 partitions of 16 KiB", || {
        black_box(round_trip(PRODUCE_VERSION, &produce));
    });
    let request = fetch_request();
    assert_eq!(round_trip(FETCH_VERSION, &request), request);
    measure("Fetch request, 100 partitions", || {
        black_box(round_trip(FETCH_VERSION, &request));
    });
    let response = fetch_response();
    assert_eq!(round_trip(FETCH_VERSION, &response), response);
    measure("Fetch response, 10 partitions of 16 KiB", || {
        black_box(round_trip(FETCH_VERSION, &response));
    });
}
