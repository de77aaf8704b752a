use std::collections::{BTreeMap, HashMap};
use weir_api::{Caller, CommittedOffset, TopicPartitionName};

use crate::{
    codec::{
        ErrorCode,
        messages::offset_fetch::{
            Group, GroupResult, OldPartitionResult, OldTopicResult, PartitionResult, Request,
            Response, Topic, TopicResult,
        },
    },
    context::Context,
    error_map,
};

/// From this version on a request may name many groups.
const MANY_GROUPS_FROM: i16 = 8;
/// From this version on there is a place for an error of the group as a whole.
const GROUP_ERROR_FROM: i16 = 2;

pub(super) async fn handle(
    cx: &Context,
    caller: &Caller,
    version: i16,
    request: Request,
) -> Response {
    if version >= MANY_GROUPS_FROM {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            groups.push(fetch(cx, caller, group).await);
        }
        return Response {
            groups,
            ..Response::default()
        };
    }
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter();
        topics
            .map(|old| Topic {
                name: old.name,
                partition_indexes: old.partition_indexes,
            })
            .collect()
    });
    let asked: Option<Vec<Topic>> = topics;
    let group = Group {
        group: request.group,
        topics: asked.clone(),
        ..Group::default()
    };
    let mut got = fetch(cx, caller, group).await;
    if got.error.is_error() && version < GROUP_ERROR_FROM {
        got.topics = all_failed(asked.unwrap_or_default(), got.error);
    }
    let topics = got.topics.into_iter().map(|topic| OldTopicResult {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(old_partition).collect(),
    });
    Response {
        topics: topics.collect(),
        error: got.error,
        ..Response::default()
    }
}

async fn fetch(cx: &Context, caller: &Caller, group: Group) -> GroupResult {
    let wanted = group.topics.as_ref().map(|topics| names(topics));
    let committed = cx
        .engine
        .committed_offsets(caller, &group.group, wanted)
        .await;
    let committed = match committed {
        Ok(committed) => committed,
        Err(error) => {
            return GroupResult {
                group: group.group,
                error: error_map::group_code(&error),
                ..GroupResult::default()
            };
        }
    };
    let topics = match group.topics {
        Some(topics) => in_order_of(topics, committed),
        None => by_topic(committed),
    };
    GroupResult {
        group: group.group,
        topics,
        error: ErrorCode::NONE,
    }
}

fn names(topics: &[Topic]) -> Vec<TopicPartitionName> {
    let of_topic = |topic: &Topic| {
        let name = topic.name.clone();
        let indexes = topic.partition_indexes.clone().into_iter();
        indexes.map(move |index| TopicPartitionName {
            topic: name.clone(),
            index,
        })
    };
    topics.iter().flat_map(of_topic).collect()
}

fn in_order_of(topics: Vec<Topic>, committed: Vec<CommittedOffset>) -> Vec<TopicResult> {
    let mut found: HashMap<(String, i32), CommittedOffset> = committed
        .into_iter()
        .map(|c| ((c.partition.topic.clone(), c.partition.index), c))
        .collect();
    let fill = |topic: Topic| TopicResult {
        partitions: topic
            .partition_indexes
            .iter()
            .map(|index| match found.remove(&(topic.name.clone(), *index)) {
                Some(committed) => partition(committed),
                None => none(*index, ErrorCode::NONE),
            })
            .collect(),
        name: topic.name,
    };
    topics.into_iter().map(fill).collect()
}

fn by_topic(committed: Vec<CommittedOffset>) -> Vec<TopicResult> {
    let mut topics: BTreeMap<String, Vec<PartitionResult>> = BTreeMap::new();
    for committed in committed.into_iter().filter(|c| c.offset.0 >= 0) {
        let topic = committed.partition.topic.clone();
        topics.entry(topic).or_default().push(partition(committed));
    }
    topics
        .into_iter()
        .map(|(name, partitions)| TopicResult { name, partitions })
        .collect()
}

fn all_failed(topics: Vec<Topic>, error: ErrorCode) -> Vec<TopicResult> {
    let fail = |topic: Topic| TopicResult {
        name: topic.name,
        partitions: topic
            .partition_indexes
            .iter()
            .map(|index| none(*index, error))
            .collect(),
    };
    topics.into_iter().map(fail).collect()
}

fn partition(committed: CommittedOffset) -> PartitionResult {
    PartitionResult {
        index: committed.partition.index,
        offset: committed.offset.0,
        leader_epoch: committed.leader_epoch.0,
        metadata: Some(committed.metadata),
        error: ErrorCode::NONE,
    }
}

fn none(index: i32, error: ErrorCode) -> PartitionResult {
    PartitionResult {
        index,
        offset: -1,
        leader_epoch: -1,
        metadata: Some(String::new()),
        error,
    }
}

fn old_partition(new: PartitionResult) -> OldPartitionResult {
    OldPartitionResult {
        index: new.index,
        offset: new.offset,
        leader_epoch: new.leader_epoch,
        metadata: new.metadata,
        error: new.error,
    }
}
