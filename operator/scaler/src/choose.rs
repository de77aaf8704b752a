//! Which count, once the facts are known: what is needed, and what holds it back.

use crate::facts::Facts;
use crate::up::{can_wait, in_time_ms, step_up};
use crate::{GroupState, Memory, Observation, Reason, Spec, tuning};

pub fn choose(
    spec: &Spec,
    memory: &mut Memory,
    seen: &Observation,
    facts: &mut Facts,
) -> (u32, Reason) {
    let now = seen.replicas;
    let unknown = facts.works.iter().filter(|work| work.unknown).count();
    if unknown > 0
        && seen
            .partitions
            .iter()
            .all(|partition| partition.committed.is_none())
    {
        return (now, Reason::Held);
    }
    let since_stable_ms = seen.at_ms.saturating_sub(memory.step.at_ms);
    if seen.group == GroupState::Rebalancing && now > 0 && since_stable_ms < 120_000 {
        return (now, Reason::Rebalancing);
    }
    if let Some(idle) = rest(spec, memory, seen, facts) {
        return idle;
    }
    let (needed, enough) = facts.need(now).smallest(100);
    facts.inputs.needed = needed;
    facts.inputs.busiest_load_milli = facts.need(now).busiest(now.max(1));
    if now == 0 {
        return (needed.max(spec.min_replicas).max(1), Reason::WakeUp);
    }
    if facts.just_bound {
        let back = memory.downstream.cap().unwrap_or(memory.step.from);
        return (
            back.max(spec.min_replicas).clamp(1, now),
            Reason::DownstreamBound,
        );
    }
    let (low, _) = facts.need(u32::MAX).smallest(tuning::DOWN_TO);
    let low = low.max(spec.min_replicas).max(1);
    let in_time_ms = in_time_ms(spec, memory, facts);
    let candidates = facts.need(now).fewer(spec.min_replicas.max(1));
    memory
        .fewer
        .observe(seen.at_ms, &candidates, in_time_ms / 10 * 9);
    match step_up(memory, seen, facts) {
        Some(up) if can_wait(facts, now, up, in_time_ms) => {}
        Some(up) => {
            let inputs = &facts.inputs;
            let arrival = inputs.arrival_rate_milli;
            if memory
                .wish
                .is_ripe(seen.at_ms, up, arrival, inputs.cap, spec.drain_within_ms)
            {
                return (up, Reason::ScaleUp);
            }
        }
        None => memory.wish.none(),
    }
    let cost = |to: u32| cost(memory, facts, now, to);
    let calm = facts.inputs.deadline_left_ms.is_none() && unknown == 0;
    let down = memory.fewer.worth(now, cost).map(|down| down.max(low));
    match down.filter(|down| calm && *down < now) {
        Some(down) => (down, Reason::ScaleDown),
        None => (now, stays(memory, seen, facts, needed, low, enough)),
    }
}

/// What going down to `to` and back up costs, pod time in milliseconds.
pub fn cost(memory: &Memory, facts: &Facts, now: u32, to: u32) -> u64 {
    2 * memory.learnt.pause_ms() * u64::from(now)
        + facts.inputs.start_up_ms * u64::from(now.saturating_sub(to))
}

/// Nothing to do at all: down to the minimum, which may be zero.
fn rest(
    spec: &Spec,
    memory: &mut Memory,
    seen: &Observation,
    facts: &Facts,
) -> Option<(u32, Reason)> {
    let unknown = facts.works.iter().any(|work| work.unknown);
    let all_committed = facts.inputs.backlog == 0 || facts.is_only_markers();
    let quiet = facts.works.iter().all(|work| work.arrival == 0) && !unknown && all_committed;
    if !quiet {
        memory.idle_since_ms = None;
        return None;
    }
    let idle_ms = seen
        .at_ms
        .saturating_sub(*memory.idle_since_ms.get_or_insert(seen.at_ms));
    if seen.replicas == 0 {
        return Some((0, Reason::Steady));
    }
    let after_ms = tuning::ZERO_AFTER_MS.max(spec.drain_within_ms);
    let in_flight = facts.inputs.commit_rate_milli > 0 || seen.group == GroupState::Rebalancing;
    if idle_ms < after_ms || in_flight {
        return None;
    }
    let reason = if spec.min_replicas == 0 {
        Reason::ToZero
    } else {
        Reason::ScaleDown
    };
    (seen.replicas > spec.min_replicas).then_some((spec.min_replicas, reason))
}

/// Why the count stays.
fn stays(
    memory: &Memory,
    seen: &Observation,
    facts: &Facts,
    needed: u32,
    low: u32,
    enough: bool,
) -> Reason {
    let now = seen.replicas;
    if facts.no_progress {
        return Reason::NoProgress;
    }
    if let Some(stuck) = &facts.stuck {
        return Reason::Stuck(stuck.clone());
    }
    if !enough && now >= needed {
        if memory.downstream.cap().is_some_and(|cap| now >= cap) {
            return Reason::DownstreamBound;
        }
        if let Some(index) = facts.need(now).too_hot(tuning::UP_ABOVE) {
            return Reason::PartitionBound(seen.partitions[index].id.clone());
        }
        return Reason::AtMaximum;
    }
    if low < now {
        Reason::NotWorthIt
    } else {
        Reason::Steady
    }
}
