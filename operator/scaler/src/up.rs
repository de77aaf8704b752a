//! When to go up, and how far.

use crate::facts::Facts;
use crate::need::Need;
use crate::work::{Work, records};
use crate::{Memory, Observation, Spec, tuning};

/// The larger count that the figures ask for.
pub fn step_up(memory: &Memory, seen: &Observation, facts: &Facts) -> Option<u32> {
    let now = seen.replicas;
    let works = moving(facts);
    let need = Need {
        works: &works,
        ..facts.need(now)
    };
    let unsettled = facts.inputs.members < now || facts.inputs.ready_pods < now;
    let starting =
        seen.at_ms.saturating_sub(memory.step.at_ms) < 2 * facts.inputs.start_up_ms + 30_000;
    let threshold = if unsettled && starting {
        tuning::UP_ABOVE_UNSETTLED
    } else {
        tuning::UP_ABOVE
    };
    let doubts = memory.downstream.doubts(now, facts.throughput);
    if facts.no_progress || doubts || !is_above(&need, threshold) {
        return None;
    }
    let mut target = target(&need);
    if !facts.inputs.rate_measured {
        if unsettled {
            return None;
        }
        if !facts.is_confirmed() {
            if !memory.learnt.is_settled(seen.at_ms) {
                return None;
            }
            // The rate is a guess: one step at a time, and the next when this one has shown what it does.
            let late = facts
                .inputs
                .deadline_left_ms
                .is_some_and(|left_ms| left_ms < facts.inputs.window_ms / 2);
            target = if late { target.max(2 * now) } else { target }
                .min(2 * now)
                .min(facts.inputs.cap);
        }
    }
    (target > now).then_some(target)
}

/// What creeps over the limit goes on creeping: room for more, so that the next step is not soon.
fn target(need: &Need<'_>) -> u32 {
    let up_to = if is_above(need, tuning::UP_CREEPING) {
        tuning::UP_TO
    } else {
        tuning::UP_TO_CREEPING
    };
    let (count, _) = need.smallest(up_to);
    // The margin is for what keeps arriving. A backlog is drained once: a count that is just enough for it will do
    // if it has room without it.
    match need.smallest(100) {
        (just, true) if just < count && need.arrives_within(just, tuning::DOWN_TO) => just,
        _ => count,
    }
}

fn is_above(need: &Need<'_>, per_cent: u64) -> bool {
    need.busiest(need.replicas).saturating_mul(100) > need.rate.saturating_mul(per_cent)
}

/// What counts as a reason for more pods.
fn moving(facts: &Facts) -> Vec<Work> {
    let mut works = facts.works.clone();
    facts
        .quiet
        .iter()
        .for_each(|&index| works[index] = Work::default());
    works
}

/// How far a pod may be behind with no record too late: the time to drain less a commit and the rebalances of pods
/// that join one after the other.
pub fn in_time_ms(spec: &Spec, memory: &Memory, facts: &Facts) -> u64 {
    let pauses_ms = tuning::PAUSES_OF_A_STEP * memory.learnt.pause_ms();
    spec.drain_within_ms
        .saturating_sub(facts.inputs.commit_interval_ms + pauses_ms)
        .max(1_000)
}

/// Whether a step up to `up` would do later as well: it keeps up with what arrives, waiting makes it no larger, and
/// pods that are asked for at the next looks still come before a record is too late. Much is over by then.
pub fn can_wait(facts: &Facts, now: u32, up: u32, in_time_ms: u64) -> bool {
    let mut works = moving(facts);
    let need = Need {
        works: &works,
        ..facts.need(now)
    };
    let keeps_up = need.arrives_within(up, tuning::UP_TO);
    if !facts.inputs.rate_measured || !keeps_up || need.behind_started_ms() > in_time_ms {
        return false;
    }
    let window_started_ms = need.window_started_ms.saturating_sub(tuning::LATER_MS);
    for work in &mut works {
        let grows = work.arrival.saturating_sub(work.commit);
        work.excess = work.excess.saturating_add(records(grows, tuning::LATER_MS));
    }
    let later = Need {
        works: &works,
        window_started_ms: window_started_ms.max(facts.least_ms),
        ..facts.need(now)
    };
    up >= facts.inputs.cap || target(&later) <= up
}
