//! What brokers ask each other about backlogs, and how they answer (postcard).

use serde::{Deserialize, Serialize};
use weir_types::TopicId;

/// Most groups in one question; more are refused.
pub const GROUPS_MAX: usize = 4_000;
/// Most partitions in one question, and in one report; more are left out, and that is said.
pub const PARTITIONS_MAX: usize = 100_000;
/// Members and offsets of one answer, about as many bytes: further groups are left out.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Partitions of one topic.
pub type TopicIndexes = (TopicId, Vec<i32>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Committed offsets of these groups are not to expire now.
    pub keep_offsets: bool,
    /// Groups that the asked broker coordinates.
    pub groups: Vec<String>,
    /// Partitions that it leads.
    pub partitions: Vec<TopicIndexes>,
}

impl Question {
    pub fn partition_count(&self) -> usize {
        self.partitions.iter().map(|(_, all)| all.len()).sum()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// In the order of the question.
    pub groups: Vec<GroupAnswer>,
    /// In the order of the question: log start and high watermark; `None`: it does not lead the
    /// partition, or does not know yet.
    pub bounds: Vec<Vec<Option<(i64, i64)>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupAnswer {
    Known(GroupFigures),
    /// Nobody has joined or committed.
    Unknown,
    /// Not now; why.
    Failed(String),
}

/// A group as its coordinator knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupFigures {
    pub state: String,
    pub assignor: String,
    pub generation: i32,
    pub members: Vec<MemberFigures>,
    /// Topic, then partition and offset, in order.
    pub committed: Vec<(String, Vec<(i32, i64)>)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberFigures {
    pub id: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub host: String,
    pub assigned: Vec<(String, Vec<i32>)>,
    pub subscribed: Vec<String>,
}

impl GroupFigures {
    /// About as many bytes as it takes in an answer.
    pub fn weight(&self) -> usize {
        let of_topics = |name: &String, count: usize| name.len() + 8 + 12 * count;
        let members = self.members.iter().map(|m| {
            let assigned: usize = m
                .assigned
                .iter()
                .map(|(t, all)| of_topics(t, all.len()))
                .sum();
            let subscribed: usize = m.subscribed.iter().map(|t| t.len() + 4).sum();
            let names = m.id.len() + m.client_id.len() + m.host.len();
            32 + names + m.instance.as_ref().map_or(0, String::len) + assigned + subscribed
        });
        let committed = self
            .committed
            .iter()
            .map(|(t, all)| of_topics(t, all.len()));
        64 + members.sum::<usize>() + committed.sum::<usize>()
    }
}
