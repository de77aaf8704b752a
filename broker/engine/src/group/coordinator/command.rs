use std::sync::Arc;
use tokio::sync::oneshot;
use weir_api::{
    CommitOffset, CommittedOffset, GroupDescription, GroupListing, JoinedGroup, Result,
    SyncedGroup, TopicPartitionName,
};
use weir_core::group::{Claim, Join, Leave, Sync};

use crate::group::backlog::GroupFigures;

pub(in crate::group) type Reply<T> = oneshot::Sender<Result<T>>;

/// What a coordinator is asked to do. A reply that is dropped means: it coordinates no more.
pub(in crate::group) enum Command {
    Join {
        group: String,
        join: Join,
        reply: Reply<JoinedGroup>,
    },
    Sync {
        group: String,
        sync: Sync,
        reply: Reply<SyncedGroup>,
    },
    Heartbeat {
        group: String,
        claim: Claim,
        reply: Reply<()>,
    },
    Leave {
        group: String,
        members: Vec<Leave>,
        reply: Reply<Vec<Result<()>>>,
    },
    Commit {
        group: String,
        claim: Claim,
        offsets: Vec<CommitOffset>,
        reply: Reply<Vec<Result<()>>>,
    },
    Committed {
        group: String,
        partitions: Option<Vec<TopicPartitionName>>,
        reply: Reply<Vec<CommittedOffset>>,
    },
    List {
        reply: Reply<Vec<GroupListing>>,
    },
    Describe {
        group: String,
        reply: Reply<GroupDescription>,
    },
    /// What is said of groups in a report about backlogs; `None`: no such group.
    Figures {
        groups: Vec<String>,
        keep_offsets: bool,
        reply: Reply<Vec<Option<GroupFigures>>>,
    },
    DeleteGroup {
        group: String,
        reply: Reply<()>,
    },
    DeleteOffsets {
        group: String,
        partitions: Vec<TopicPartitionName>,
        reply: Reply<Vec<Result<()>>>,
    },
    /// Topics of these names are no more.
    TopicsDeleted {
        names: Arc<[String]>,
    },
}
