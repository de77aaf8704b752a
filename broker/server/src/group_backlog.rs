//! Backlog of the groups that this broker coordinates, for its metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;
use weir_api::{BacklogReport, BacklogWatch, Caller, Engine, Result, WatchedGroup};

const EVERY: Duration = Duration::from_secs(15);
/// How long other brokers are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Groups that are looked at; more have no series.
const GROUPS_MAX: usize = 500;
/// Series that are shown; more are counted only.
const SERIES_MAX: usize = 1_000;

/// What was seen last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupBacklogs {
    /// Records behind the committed offsets, by group and topic.
    pub series: BTreeMap<(String, String), i64>,
    /// Groups and series beyond the bounds.
    pub omitted: usize,
}

/// Shared between who looks and who shows.
pub type Shown = Arc<RwLock<GroupBacklogs>>;

/// Looks until `stop` turns true.
pub async fn observe(engine: Arc<dyn Engine>, shown: Shown, mut stop: watch::Receiver<bool>) {
    // Metrics are no reason to keep offsets.
    let Ok(mut watcher) = engine.watch_backlog(false) else {
        return;
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        match look(&*engine, &mut *watcher).await {
            Ok(seen) => *shown.write().unwrap_or_else(PoisonError::into_inner) = seen,
            // A coordinator that loads: what was seen before stands until the next look.
            Err(error) => debug!(%error, "backlogs are not known now"),
        }
    }
}

async fn look(engine: &dyn Engine, watcher: &mut dyn BacklogWatch) -> Result<GroupBacklogs> {
    let listed = engine.list_groups(&Caller::internal()).await?;
    let omitted = listed.len().saturating_sub(GROUPS_MAX);
    let watched = |g: weir_api::GroupListing| WatchedGroup {
        group: g.group,
        topics: Vec::new(),
    };
    let groups: Vec<_> = listed.into_iter().take(GROUPS_MAX).map(watched).collect();
    let report = watcher.report(&groups, PATIENCE).await;
    Ok(summed(report, omitted))
}

fn summed(report: BacklogReport, omitted: usize) -> GroupBacklogs {
    let mut seen = GroupBacklogs {
        series: BTreeMap::new(),
        omitted,
    };
    for group in report.groups {
        for partition in group.partitions {
            if partition.committed.is_none() {
                continue;
            }
            let backlog = partition.backlog();
            let key = (group.group.clone(), partition.partition.topic);
            *seen.series.entry(key).or_default() += backlog;
        }
    }
    while seen.series.len() > SERIES_MAX {
        seen.series.pop_last();
        seen.omitted += 1;
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_api::{GroupBacklog, PartitionBacklog, TopicPartitionName};

    fn partition(topic: &str, committed: Option<i64>) -> PartitionBacklog {
        let partition = TopicPartitionName {
            topic: topic.to_owned(),
            index: 0,
        };
        PartitionBacklog {
            partition,
            committed,
            start: 0,
            end: 10,
            arrival_rate: 0.0,
            commit_rate: 0.0,
            age_ms: 0,
        }
    }

    #[test]
    fn series_are_summed_by_topic_and_bounded() {
        let group = |name: String, partitions| GroupBacklog {
            group: name,
            partitions,
            ..GroupBacklog::default()
        };
        let two = vec![
            partition("t", Some(4)),
            partition("t", Some(9)),
            partition("u", None),
        ];
        let report = BacklogReport {
            at_ms: 0,
            groups: vec![group("g".to_owned(), two)],
        };
        let seen = summed(report, 0);
        let expected = BTreeMap::from([(("g".to_owned(), "t".to_owned()), 7)]);
        assert_eq!((seen.series, seen.omitted), (expected, 0));

        let many =
            (0..SERIES_MAX + 5).map(|n| group(format!("g{n}"), vec![partition("t", Some(1))]));
        let report = BacklogReport {
            at_ms: 0,
            groups: many.collect(),
        };
        let seen = summed(report, 2);
        assert_eq!((seen.series.len(), seen.omitted), (SERIES_MAX, 7));
    }
}
