//! The decision: measure, ask what is needed, and see what holds it back.

use crate::choose::{choose, cost};
use crate::costs::deletion_costs;
use crate::facts::Facts;
use crate::memory::Step;
use crate::message::message;
use crate::work::Work;
use crate::{Decision, Inputs, Memory, Observation, Reason, Spec};

/// What the count should be now, and why. Deterministic: the same three arguments give the same answer. Cheap enough
/// for every report of the brokers: counts times partitions.
pub fn decide(spec: &Spec, memory: &mut Memory, seen: &Observation) -> Decision {
    let last_seen_ms = std::mem::replace(&mut memory.seen_ms, seen.at_ms);
    let bounded = seen
        .replicas
        .clamp(spec.min_replicas, spec.max_replicas.max(spec.min_replicas));
    if let Some(freeze) = &seen.frozen {
        return answer(
            seen,
            seen.replicas,
            Reason::Frozen(freeze.clone()),
            Inputs::default(),
            &[],
        );
    }
    memory.learnt.observe_group(seen, last_seen_ms);
    let mut facts = Facts::observe(spec, memory, seen, last_seen_ms);
    let (replicas, reason) = if bounded != seen.replicas {
        (bounded, Reason::OutOfBounds)
    } else {
        choose(spec, memory, seen, &mut facts)
    };
    if replicas != seen.replicas {
        let cost = cost(memory, &facts, seen.replicas, replicas);
        memory.step = Step {
            at_ms: seen.at_ms,
            from: seen.replicas,
            to: replicas,
        };
        memory.wish.none();
        if replicas < seen.replicas {
            memory
                .fewer
                .stepped_down(seen.at_ms, seen.replicas, replicas, cost);
        } else {
            memory.fewer.stepped_up(seen.at_ms, replicas);
            memory.downstream.stepped_up(
                seen.at_ms,
                seen.replicas,
                replicas,
                facts.known_rate(),
                facts.throughput,
            );
        }
    }
    answer(seen, replicas, reason, facts.inputs, &facts.works)
}

fn answer(
    seen: &Observation,
    replicas: u32,
    reason: Reason,
    inputs: Inputs,
    works: &[Work],
) -> Decision {
    let deletion_costs = if replicas < seen.replicas && replicas > 0 {
        deletion_costs(seen, works)
    } else {
        Vec::new()
    };
    let message = message(seen.replicas, replicas, &reason, &inputs);
    let again_after_ms = if inputs.excess > 0 || replicas != seen.replicas {
        1_000
    } else {
        5_000
    };
    Decision {
        replicas,
        reason,
        message,
        inputs,
        again_after_ms,
        deletion_costs,
    }
}
