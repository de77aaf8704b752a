//! One handler a file: extract, one engine call or few, convert.

mod alter_configs;
mod alter_partition_reassignments;
pub(crate) mod api_versions;
mod at_once;
mod config_target;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_topic_partitions;
mod elect_leaders;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod nodes;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;

use std::time::Duration;
use weir_api::Caller;

use crate::{
    codec::{
        ApiKey, DecodeError, Encoded, Message, Reader, RequestHeader, Writer,
        encode_response_header,
    },
    connection::Reply,
    context::Context,
};

/// What "not computed" looks like in fields of authorised operations.
const OPERATIONS_UNKNOWN: i32 = i32::MIN;

/// Reads a request's body and begins it. Only a Produce is not done when this returns.
pub(crate) async fn dispatch(
    cx: &Context,
    caller: &Caller,
    key: ApiKey,
    header: &RequestHeader,
    reader: &mut Reader,
) -> Result<Reply, DecodeError> {
    let version = header.api_version;
    macro_rules! run {
        ($module:ident) => {{
            let request = Message::decode(version, reader)?;
            encode(header, &$module::handle(cx, caller, version, request).await)
        }};
    }
    let encoded = match key {
        ApiKey::Produce => {
            let request = Message::decode(version, reader)?;
            return Ok(Reply::Later(
                produce::begin(cx, caller, header, request).await,
            ));
        }
        ApiKey::Fetch => run!(fetch),
        ApiKey::ListOffsets => run!(list_offsets),
        ApiKey::Metadata => run!(metadata),
        ApiKey::OffsetCommit => run!(offset_commit),
        ApiKey::OffsetFetch => run!(offset_fetch),
        ApiKey::FindCoordinator => run!(find_coordinator),
        ApiKey::JoinGroup => run!(join_group),
        ApiKey::Heartbeat => run!(heartbeat),
        ApiKey::LeaveGroup => run!(leave_group),
        ApiKey::SyncGroup => run!(sync_group),
        ApiKey::DescribeGroups => run!(describe_groups),
        ApiKey::ListGroups => run!(list_groups),
        ApiKey::ApiVersions => run!(api_versions),
        ApiKey::CreateTopics => run!(create_topics),
        ApiKey::DeleteTopics => run!(delete_topics),
        ApiKey::DeleteRecords => run!(delete_records),
        ApiKey::InitProducerId => run!(init_producer_id),
        ApiKey::OffsetForLeaderEpoch => run!(offset_for_leader_epoch),
        ApiKey::DescribeConfigs => run!(describe_configs),
        ApiKey::AlterConfigs => run!(alter_configs),
        ApiKey::CreatePartitions => run!(create_partitions),
        ApiKey::DeleteGroups => run!(delete_groups),
        ApiKey::ElectLeaders => run!(elect_leaders),
        ApiKey::IncrementalAlterConfigs => run!(incremental_alter_configs),
        ApiKey::DescribeLogDirs => run!(describe_log_dirs),
        ApiKey::AlterPartitionReassignments => run!(alter_partition_reassignments),
        ApiKey::ListPartitionReassignments => run!(list_partition_reassignments),
        ApiKey::OffsetDelete => run!(offset_delete),
        ApiKey::DescribeCluster => run!(describe_cluster),
        ApiKey::DescribeTopicPartitions => run!(describe_topic_partitions),
        ApiKey::ListConfigResources => run!(list_config_resources),
    };
    Ok(Reply::Ready(encoded))
}

/// A response with its header.
fn encode<M: Message>(header: &RequestHeader, response: &M) -> Encoded {
    let mut w = Writer::new();
    encode_response_header(M::KEY, header.api_version, header.correlation_id, &mut w);
    response.encode(header.api_version, &mut w);
    w.finish()
}

/// A timeout as it stands in requests; a negative one is none at all.
fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
