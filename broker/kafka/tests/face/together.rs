//! Many things asked for in one request.

use std::time::Duration;
use tokio::{sync::Barrier, time::timeout};
use weir_kafka::codec::{
    ErrorCode,
    messages::{create_topics, delete_records, elect_leaders},
};

use crate::support::{FakeEngine, Served};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);
const COUNT: usize = 5;

/// Nothing of a request is done before all of it was begun.
async fn all_or_nothing() -> Served {
    let engine = FakeEngine {
        meeting: Some(Barrier::new(COUNT)),
        ..FakeEngine::default()
    };
    Served::with(engine, Default::default()).await
}

#[tokio::test]
async fn topics_of_one_request_are_made_together() {
    let served = all_or_nothing().await;
    let topic = |n: usize| create_topics::Topic {
        name: format!("t{n}"),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let request = create_topics::Request {
        topics: (0..COUNT).map(topic).collect(),
        ..Default::default()
    };
    let mut client = served.client().await;
    let response = timeout(LONG, client.call(7, &request)).await;
    let topics = response.expect("none waits for another").topics;
    let answered: Vec<_> = topics.iter().map(|t| (t.name.as_str(), t.error)).collect();
    let names = ["t0", "t1", "t2", "t3", "t4"];
    assert_eq!(answered, names.map(|name| (name, ErrorCode::NONE)));
}

#[tokio::test]
async fn records_of_many_partitions_are_deleted_together() {
    let served = all_or_nothing().await;
    served.engine.add_topic("a", 3);
    served.engine.add_topic("b", 1);
    let topic = |name: &str, indexes: &[i32]| delete_records::Topic {
        name: name.into(),
        partitions: indexes
            .iter()
            .map(|&index| delete_records::Partition { index, offset: 0 })
            .collect(),
    };
    let request = delete_records::Request {
        topics: vec![topic("a", &[2, 7, 0]), topic("b", &[0, 1])],
        timeout_ms: 1000,
    };
    let mut client = served.client().await;
    let response = timeout(LONG, client.call(2, &request)).await;
    let topics = response.expect("none waits for another").topics;
    let answered = |at: usize| -> Vec<_> {
        let partitions = topics[at].partitions.iter();
        partitions.map(|p| (p.index, p.error)).collect()
    };
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(
        answered(0),
        [(2, ErrorCode::NONE), (7, unknown), (0, ErrorCode::NONE)]
    );
    assert_eq!(answered(1), [(0, ErrorCode::NONE), (1, unknown)]);
}

/// Partitions 1 of both topics, and one that is led as it should be.
fn election() -> elect_leaders::Request {
    let topic = |name: &str, partitions: &[i32]| elect_leaders::Topic {
        name: name.into(),
        partitions: partitions.to_vec(),
    };
    elect_leaders::Request {
        topics: Some(vec![topic("a", &[0, 1, 9]), topic("b", &[1])]),
        ..Default::default()
    }
}

#[tokio::test]
async fn leaders_are_elected_in_one_call_and_answered_each() {
    let needless = ErrorCode::ELECTION_NOT_NEEDED;
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    for (elects_max, outcome) in [
        (usize::MAX, ErrorCode::NONE),
        (0, ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE),
    ] {
        let engine = FakeEngine {
            led_elsewhere: 1,
            elects_max,
            ..FakeEngine::default()
        };
        let served = Served::with(engine, Default::default()).await;
        served.engine.add_topic("a", 2);
        served.engine.add_topic("b", 2);
        let response = served.client().await.call(2, &election()).await;
        let codes: Vec<Vec<_>> = response
            .topics
            .iter()
            .map(|t| t.partitions.iter().map(|p| p.error).collect())
            .collect();
        assert_eq!(codes, [vec![needless, outcome, unknown], vec![outcome]]);
        let asked = served.engine.elections.lock().expect("whole").clone();
        assert_eq!(asked, [[1, 1]], "one election for both");
    }
}
