//! What clients are told of the cluster.

use weir_kafka::codec::{ErrorCode, messages::describe_cluster};

use crate::support::Served;

#[tokio::test]
async fn the_cluster_is_described_to_whom_asks_for_brokers() {
    let served = Served::start().await;
    let mut client = served.client().await;
    for version in 0..=2 {
        let response = client
            .call(version, &describe_cluster::Request::default())
            .await;
        assert_eq!((response.controller_id, response.brokers.len()), (1, 2));
        assert_eq!(response.cluster_id, "fake");
    }
    for (endpoint_type, error) in [
        (2, ErrorCode::MISMATCHED_ENDPOINT_TYPE),
        (0, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
        (3, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
    ] {
        let request = describe_cluster::Request {
            endpoint_type,
            ..Default::default()
        };
        for version in 1..=2 {
            let response = client.call(version, &request).await;
            assert_eq!(response.error, error, "endpoint type {endpoint_type}");
            assert!(response.message.is_some());
        }
    }
}
