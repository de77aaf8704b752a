//! The stream of backlog reports.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Response, Status, Streaming};
use weir_api::{
    BacklogMember, BacklogReport, BacklogWatch, Engine, GroupBacklog, PartitionBacklog,
    TopicPartitionName, WatchedGroup,
};
use weir_proto::admin as pb;
use weir_proto::admin::backlog_server::Backlog;

use crate::status::status;

/// Most groups of one stream.
const GROUPS_MAX: usize = 4_000;
/// Most topics that a stream may name, over all its groups.
const TOPICS_MAX: usize = 20_000;
/// Longest name, bytes.
const NAME_BYTES_MAX: usize = weir_types::limits::NAME_BYTES_MAX;
const INTERVAL_MS_DEFAULT: u32 = 1_000;
const INTERVAL_MS_MIN: u32 = 250;
const INTERVAL_MS_MAX: u32 = 60_000;
/// Bounds of the wait for other brokers in one report.
const PATIENCE_MIN: Duration = Duration::from_millis(200);
const PATIENCE_MAX: Duration = Duration::from_secs(2);

pub(crate) struct BacklogService {
    pub(crate) engine: Arc<dyn Engine>,
}

#[tonic::async_trait]
impl Backlog for BacklogService {
    type WatchBacklogStream =
        Pin<Box<dyn Stream<Item = Result<pb::BacklogReport, Status>> + Send + 'static>>;

    async fn watch_backlog(
        &self,
        request: Request<Streaming<pb::BacklogWatch>>,
    ) -> Result<Response<Self::WatchBacklogStream>, Status> {
        let reports = Reports {
            watch: self.engine.watch_backlog(true).map_err(status)?,
            asked: Some(request.into_inner()),
            groups: Vec::new(),
            interval: Duration::from_millis(INTERVAL_MS_DEFAULT.into()),
            due: None,
        };
        let stream = futures::stream::unfold(reports, |mut reports| async move {
            let report = reports.next().await?;
            Some((report, reports))
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

/// One stream. It is polled only as fast as its reader reads.
struct Reports {
    watch: Box<dyn BacklogWatch>,
    /// `None`: the caller has said all that it will.
    asked: Option<Streaming<pb::BacklogWatch>>,
    groups: Vec<WatchedGroup>,
    interval: Duration,
    /// When the next report is; `None`: nothing was asked yet.
    due: Option<Instant>,
}

impl Reports {
    /// `None`: the stream is over, because the caller said nothing, or is gone.
    async fn next(&mut self) -> Option<Result<pb::BacklogReport, Status>> {
        loop {
            if self.asked.is_none() && self.due.is_none() {
                return None;
            }
            tokio::select! {
                biased;
                asked = said(&mut self.asked) => match asked {
                    Ok(Some(watch)) => {
                        if let Err(refused) = self.replace(watch) {
                            self.asked = None;
                            self.due = None;
                            return Some(Err(refused));
                        }
                    }
                    Ok(None) => self.asked = None,
                    Err(_) => return None,
                },
                () = time(self.due) => {
                    let patience = (self.interval * 4 / 5).clamp(PATIENCE_MIN, PATIENCE_MAX);
                    let report = self.watch.report(&self.groups, patience).await;
                    let due = self.due.unwrap_or_else(Instant::now) + self.interval;
                    self.due = Some(due.max(Instant::now()));
                    return Some(Ok(converted(report)));
                }
            }
        }
    }

    fn replace(&mut self, watch: pb::BacklogWatch) -> Result<(), Status> {
        let interval_ms = match watch.interval_ms {
            0 => INTERVAL_MS_DEFAULT,
            ms if (INTERVAL_MS_MIN..=INTERVAL_MS_MAX).contains(&ms) => ms,
            ms => {
                let message = format!("an interval of {ms} ms is not within 250 to 60000");
                return Err(Status::invalid_argument(message));
            }
        };
        self.groups = checked(watch.groups)?;
        self.interval = Duration::from_millis(interval_ms.into());
        self.due = Some(Instant::now());
        Ok(())
    }
}

async fn said(
    asked: &mut Option<Streaming<pb::BacklogWatch>>,
) -> Result<Option<pb::BacklogWatch>, Status> {
    match asked {
        Some(asked) => asked.message().await,
        None => std::future::pending().await,
    }
}

async fn time(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn checked(groups: Vec<pb::GroupWatch>) -> Result<Vec<WatchedGroup>, Status> {
    let refuse = |why: &str| Err(Status::invalid_argument(why));
    let topics: usize = groups.iter().map(|g| g.topics.len()).sum();
    if groups.len() > GROUPS_MAX || topics > TOPICS_MAX {
        return refuse("too many groups or topics for one stream");
    }
    let mut seen = BTreeSet::new();
    for group in &groups {
        let mut names = group.topics.iter().chain([&group.group]);
        if names.any(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
            return refuse("a name is empty or too long");
        }
        if !seen.insert(&group.group) {
            return refuse("a group is named twice");
        }
    }
    let watched = |g: pb::GroupWatch| WatchedGroup {
        group: g.group,
        topics: g.topics,
    };
    Ok(groups.into_iter().map(watched).collect())
}

fn converted(report: BacklogReport) -> pb::BacklogReport {
    pb::BacklogReport {
        at_ms: report.at_ms,
        groups: report.groups.into_iter().map(group).collect(),
    }
}

fn group(group: GroupBacklog) -> pb::GroupBacklog {
    pb::GroupBacklog {
        group: group.group,
        state: group.state,
        assignor: group.assignor,
        generation: group.generation,
        members: group.members.into_iter().map(member).collect(),
        partitions: group.partitions.into_iter().map(partition).collect(),
        problem: group.problem.unwrap_or_default(),
    }
}

fn member(member: BacklogMember) -> pb::BacklogMember {
    let assigned = |p: TopicPartitionName| pb::TopicPartitionIndex {
        topic: p.topic,
        partition: p.index,
    };
    pb::BacklogMember {
        id: member.id,
        instance: member.instance,
        client_id: member.client_id,
        host: member.host,
        assigned: member.assigned.into_iter().map(assigned).collect(),
        subscribed: member.subscribed,
    }
}

fn partition(partition: PartitionBacklog) -> pb::PartitionBacklog {
    pb::PartitionBacklog {
        backlog: partition.backlog(),
        topic: partition.partition.topic,
        partition: partition.partition.index,
        committed: partition.committed,
        start: partition.start,
        end: partition.end,
        arrival_rate: partition.arrival_rate,
        commit_rate: partition.commit_rate,
        age_ms: partition.age_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(group: &str, topics: &[&str]) -> pb::GroupWatch {
        pb::GroupWatch {
            group: group.to_owned(),
            topics: topics.iter().map(|t| (*t).to_owned()).collect(),
        }
    }

    /// Reports whatever it is asked about, with nothing in it.
    struct Echo;

    #[tonic::async_trait]
    impl BacklogWatch for Echo {
        async fn report(&mut self, groups: &[WatchedGroup], _: Duration) -> BacklogReport {
            let group = |g: &WatchedGroup| GroupBacklog {
                group: g.group.clone(),
                ..GroupBacklog::default()
            };
            BacklogReport {
                at_ms: 1,
                groups: groups.iter().map(group).collect(),
            }
        }
    }

    fn reports() -> Reports {
        Reports {
            watch: Box::new(Echo),
            asked: None,
            groups: Vec::new(),
            interval: Duration::from_secs(1),
            due: None,
        }
    }

    #[tokio::test]
    async fn a_report_comes_at_once_and_then_at_the_interval() {
        let mut reports = reports();
        let groups = vec![watch("g", &[])];
        let asked = pb::BacklogWatch {
            groups,
            interval_ms: INTERVAL_MS_MIN,
        };
        let began = Instant::now();
        reports.replace(asked).expect("within the bounds");
        for _ in 0..2 {
            let report = reports.next().await.expect("goes on").expect("a report");
            assert_eq!(report.groups[0].group, "g");
        }
        assert!(began.elapsed() >= Duration::from_millis(INTERVAL_MS_MIN.into()));
    }

    #[tokio::test]
    async fn a_caller_that_asked_nothing_and_is_gone_ends_the_stream() {
        assert!(reports().next().await.is_none());
        let mut reports = reports();
        for interval_ms in [INTERVAL_MS_MIN - 1, INTERVAL_MS_MAX + 1] {
            let asked = pb::BacklogWatch {
                groups: Vec::new(),
                interval_ms,
            };
            assert!(reports.replace(asked).is_err(), "{interval_ms}");
        }
    }

    #[test]
    fn what_is_watched_is_bounded_and_named_once() {
        assert!(checked(vec![watch("g", &["t"]), watch("h", &[])]).is_ok());
        assert!(checked(vec![watch("g", &["t"]), watch("g", &[])]).is_err());
        assert!(checked(vec![watch("", &[])]).is_err());
        assert!(checked(vec![watch("g", &[""])]).is_err());
        let many = (0..=GROUPS_MAX).map(|n| watch(&n.to_string(), &[]));
        assert!(checked(many.collect()).is_err());
    }
}
