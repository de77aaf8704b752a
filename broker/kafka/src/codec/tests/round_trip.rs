use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages as theirs,
    protocol::{Decodable, Encodable, Message as _},
};

use super::Gen;
use crate::codec::{
    ApiKey, Message, Reader, RequestHeader, RequestPrefix, Writer, decode_message, encode_message,
    messages,
};

const SAMPLES: u64 = 40;

fn ours_to_bytes<M: Message>(version: i16, message: &M) -> Bytes {
    encode_message(version, message)
        .into_bytes()
        .expect("samples are in memory")
}

/// Our bytes are read by them and written back equal; their bytes are read by us likewise.
fn check<M, T>(name: &str, version: i16, sample: impl Fn(i16, &mut Gen) -> M)
where
    M: Message + PartialEq + std::fmt::Debug,
    T: Decodable + Encodable,
{
    for seed in 0..SAMPLES {
        let at = format!("{name} v{version} seed {seed}");
        let message = sample(version, &mut Gen::new(seed));
        let bytes = ours_to_bytes(version, &message);
        let again: M =
            decode_message(version, bytes.clone()).unwrap_or_else(|e| panic!("{at}: {e}"));
        assert_eq!(again, message, "{at}");

        let mut rest = bytes.clone();
        let their = T::decode(&mut rest, version).unwrap_or_else(|e| panic!("{at}: {e}"));
        assert!(rest.is_empty(), "{at}: {} bytes left", rest.len());
        let mut back = BytesMut::new();
        their
            .encode(&mut back, version)
            .unwrap_or_else(|e| panic!("{at}: {e}"));
        let back = back.freeze();
        let from_theirs: M =
            decode_message(version, back.clone()).unwrap_or_else(|e| panic!("{at}: {e}"));
        assert_eq!(from_theirs, message, "{at}");
        assert_eq!(back, bytes, "{at}: not the same bytes");
    }
}

macro_rules! round_trips {
    ($($module:ident $request:ident $response:ident;)*) => {
        $(#[test]
        fn $module() {
            use messages::$module::{Request, Response};
            let (min, max) = Request::KEY.versions();
            let range = theirs::$request::VERSIONS;
            assert!(range.min <= min && max <= range.max, "they check what is served");
            for version in min..=max {
                check::<Request, theirs::$request>(
                    concat!(stringify!($module), " request"), version, Request::sample);
                check::<Response, theirs::$response>(
                    concat!(stringify!($module), " response"), version, Response::sample);
            }
        })*

        #[test]
        fn every_api_is_checked() {
            let checked = [$(messages::$module::Request::KEY),*];
            for key in ApiKey::ALL {
                assert!(checked.contains(&key), "{key:?}");
            }
        }
    };
}

round_trips! {
    produce ProduceRequest ProduceResponse;
    fetch FetchRequest FetchResponse;
    list_offsets ListOffsetsRequest ListOffsetsResponse;
    metadata MetadataRequest MetadataResponse;
    offset_commit OffsetCommitRequest OffsetCommitResponse;
    offset_fetch OffsetFetchRequest OffsetFetchResponse;
    find_coordinator FindCoordinatorRequest FindCoordinatorResponse;
    join_group JoinGroupRequest JoinGroupResponse;
    heartbeat HeartbeatRequest HeartbeatResponse;
    leave_group LeaveGroupRequest LeaveGroupResponse;
    sync_group SyncGroupRequest SyncGroupResponse;
    describe_groups DescribeGroupsRequest DescribeGroupsResponse;
    list_groups ListGroupsRequest ListGroupsResponse;
    api_versions ApiVersionsRequest ApiVersionsResponse;
    create_topics CreateTopicsRequest CreateTopicsResponse;
    delete_topics DeleteTopicsRequest DeleteTopicsResponse;
    delete_records DeleteRecordsRequest DeleteRecordsResponse;
    init_producer_id InitProducerIdRequest InitProducerIdResponse;
    offset_for_leader_epoch OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse;
    describe_configs DescribeConfigsRequest DescribeConfigsResponse;
    alter_configs AlterConfigsRequest AlterConfigsResponse;
    create_partitions CreatePartitionsRequest CreatePartitionsResponse;
    delete_groups DeleteGroupsRequest DeleteGroupsResponse;
    elect_leaders ElectLeadersRequest ElectLeadersResponse;
    incremental_alter_configs IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse;
    describe_log_dirs DescribeLogDirsRequest DescribeLogDirsResponse;
    alter_partition_reassignments
        AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse;
    list_partition_reassignments
        ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse;
    offset_delete OffsetDeleteRequest OffsetDeleteResponse;
    describe_cluster DescribeClusterRequest DescribeClusterResponse;
    describe_topic_partitions DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse;
    list_config_resources ListConfigResourcesRequest ListConfigResourcesResponse;
}

#[test]
fn request_headers_have_the_version_that_the_api_asks_for() {
    for key in ApiKey::ALL {
        let their_key = theirs::ApiKey::try_from(key.number()).expect("they know it");
        let (min, max) = key.versions();
        for version in min..=max {
            let header = RequestHeader {
                api_key: key.number(),
                api_version: version,
                correlation_id: 77,
                client_id: Some("someone".into()),
            };
            let mut w = Writer::new();
            header.encode(key, &mut w);
            let bytes = w.finish().into_bytes().expect("in memory");
            let mut rest = bytes.clone();
            let their_version = their_key.request_header_version(version);
            theirs::RequestHeader::decode(&mut rest, their_version).expect("they can read it");
            assert!(rest.is_empty(), "{key:?} v{version}");
            let mut r = Reader::new(bytes);
            let prefix = RequestPrefix::decode(&mut r).expect("it is there");
            assert_eq!(RequestHeader::decode(prefix, key, &mut r), Ok(header));

            let mut w = Writer::new();
            crate::codec::encode_response_header(key, version, 77, &mut w);
            let mut rest = w.finish().into_bytes().expect("in memory");
            let their_version = their_key.response_header_version(version);
            theirs::ResponseHeader::decode(&mut rest, their_version).expect("they can read it");
            assert!(rest.is_empty(), "{key:?} v{version}");
        }
    }
}
