//! Which reports are worth a look at once.

use std::time::{Duration, Instant};

use weir_proto::admin as pb;

/// A scaler is not woken more often by reports of a backlog that it works on.
const WAKE_AFTER: Duration = Duration::from_secs(3);

/// What of a report a decision could depend on, coarsely.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Print {
    state: String,
    generation: i32,
    members: usize,
    partitions: usize,
    complete: bool,
    committed: bool,
    backlog: i64,
    arrival_rate: f64,
}

impl Print {
    pub fn of(group: &pb::GroupBacklog) -> Self {
        let partitions = &group.partitions;
        Self {
            state: group.state.clone(),
            generation: group.generation,
            members: group.members.len(),
            partitions: partitions.len(),
            complete: group.problem.is_empty(),
            committed: partitions.iter().any(|p| p.committed.is_some()),
            backlog: partitions.iter().map(|p| p.backlog).sum(),
            arrival_rate: partitions.iter().map(|p| p.arrival_rate).sum(),
        }
    }

    /// Something to do where there was nothing is news at once; the rest may wait a little.
    pub fn is_news(&self, woken: Option<&(Print, Instant)>, now: Instant) -> bool {
        let Some((before, at)) = woken else {
            return true;
        };
        if self.backlog > 0 && before.backlog == 0 {
            return true;
        }
        if now.duration_since(*at) < WAKE_AFTER {
            return false;
        }
        let shape = |p: &Print| {
            (
                p.state.clone(),
                p.generation,
                p.members,
                p.partitions,
                p.complete,
                p.committed,
            )
        };
        #[expect(clippy::cast_precision_loss, reason = "a fifth more or less")]
        let backlogs = (before.backlog as f64, self.backlog as f64);
        shape(self) != shape(before)
            || differs(backlogs.0, backlogs.1)
            || differs(before.arrival_rate, self.arrival_rate)
    }
}

/// By more than a fifth, or from or to nothing.
fn differs(before: f64, now: f64) -> bool {
    (now - before).abs() > 0.2 * before.abs().max(now.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, backlog: i64) -> pb::GroupBacklog {
        pb::GroupBacklog {
            group: name.to_owned(),
            state: "Stable".to_owned(),
            partitions: vec![pb::PartitionBacklog {
                backlog,
                ..pb::PartitionBacklog::default()
            }],
            ..pb::GroupBacklog::default()
        }
    }

    #[test]
    fn what_changes_a_decision_is_news_after_a_while() {
        let now = Instant::now();
        let later = now + WAKE_AFTER;
        let before = Some((Print::of(&group("g", 100)), now));
        let news = |backlog| Print::of(&group("g", backlog)).is_news(before.as_ref(), later);
        assert!(!news(100));
        assert!(!news(115));
        assert!(news(200));
        assert!(news(0));
        let mut other = group("g", 100);
        other.problem = "broker 1 is silent".to_owned();
        assert!(Print::of(&other).is_news(before.as_ref(), later));
    }
}
