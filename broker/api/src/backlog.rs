//! What groups have still to consume, gathered over the whole cluster.

use async_trait::async_trait;
use std::time::Duration;

use crate::TopicPartitionName;

/// A group that somebody wants to hear about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedGroup {
    pub group: String,
    /// Empty: those that it has committed to or that its members subscribe to.
    pub topics: Vec<String>,
}

/// Gathers reports and remembers what it saw: rates come from the difference.
#[async_trait]
pub trait BacklogWatch: Send {
    /// One report about exactly these groups, in their order. Every other broker is asked at most
    /// twice, and waited for at most `patience` each time: who does not answer makes the problem
    /// of the groups it matters to, and their figures stay as they were. To be called at regular
    /// intervals. Cancel-safe: what was asked is lost.
    async fn report(&mut self, groups: &[WatchedGroup], patience: Duration) -> BacklogReport;
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct BacklogReport {
    /// Unix time of this broker, milliseconds.
    pub at_ms: i64,
    pub groups: Vec<GroupBacklog>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupBacklog {
    pub group: String,
    /// Kafka's names, as in [`crate::GroupListing`]; `Dead` where nobody knows the group. Empty
    /// while its coordinator has not answered once.
    pub state: String,
    /// Empty unless the group is stable.
    pub assignor: String,
    pub generation: i32,
    pub members: Vec<BacklogMember>,
    /// In order of topic and index.
    pub partitions: Vec<PartitionBacklog>,
    /// What is missing of this report, and why; `None`: it is complete.
    pub problem: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BacklogMember {
    pub id: String,
    pub instance: Option<String>,
    pub client_id: String,
    /// Address that it connects from.
    pub host: String,
    pub assigned: Vec<TopicPartitionName>,
    pub subscribed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PartitionBacklog {
    pub partition: TopicPartitionName,
    /// `None`: nothing is committed, or it expired.
    pub committed: Option<i64>,
    /// Log start.
    pub start: i64,
    /// High watermark.
    pub end: i64,
    /// Records a second; 0 before two samples.
    pub arrival_rate: f64,
    pub commit_rate: f64,
    /// Age of these figures, milliseconds.
    pub age_ms: i64,
}

impl PartitionBacklog {
    /// Records still to be consumed: what retention has deleted counts no more, and without a
    /// commit all that the log holds counts.
    pub fn backlog(&self) -> i64 {
        let from = self.committed.map_or(self.start, |c| c.max(self.start));
        (self.end - from).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(committed: Option<i64>, start: i64, end: i64) -> i64 {
        PartitionBacklog {
            partition: TopicPartitionName {
                topic: "t".to_owned(),
                index: 0,
            },
            committed,
            start,
            end,
            arrival_rate: 0.0,
            commit_rate: 0.0,
            age_ms: 0,
        }
        .backlog()
    }

    #[test]
    fn what_retention_deleted_is_no_backlog() {
        assert_eq!(backlog(Some(30), 0, 100), 70);
        assert_eq!(backlog(Some(20), 60, 100), 40);
        assert_eq!(backlog(None, 60, 100), 40);
        // A commit seen later than the high watermark.
        assert_eq!(backlog(Some(101), 0, 100), 0);
    }
}
