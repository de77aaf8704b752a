//! A group that a test can turn the knobs of.

use crate::{
    Assignor, Decision, GroupState, Member, Memory, NoCommit, Observation, PartitionBacklog, Pod,
    Spec, TopicPartition, decide,
};

pub fn spec() -> Spec {
    Spec {
        min_replicas: 0,
        max_replicas: 12,
        drain_within_ms: 60_000,
        initial_rate_per_pod: 100.0,
        no_commit: NoCommit::Hold,
    }
}

pub fn partition(
    number: i32,
    backlog: i64,
    arrival_rate: f64,
    commit_rate: f64,
) -> PartitionBacklog {
    PartitionBacklog {
        id: TopicPartition {
            topic: "orders".to_owned(),
            partition: number,
        },
        committed: Some(1_000),
        start: 0,
        end: 1_000 + backlog,
        arrival_rate,
        commit_rate,
    }
}

/// Even partitions, shared out to as many pods; stable.
pub fn observation(at_s: u64, pods: u32, partitions: Vec<PartitionBacklog>) -> Observation {
    let count = pods.max(1) as usize;
    let member = |at: usize| Member {
        id: format!("member-{at}"),
        host: format!("/10.0.0.{at}"),
        assigned: partitions
            .iter()
            .enumerate()
            .filter(|(index, _)| index % count == at)
            .map(|(_, of)| of.id.clone())
            .collect(),
        subscribed: vec!["orders".to_owned()],
    };
    let pod = |at: usize| Pod {
        name: format!("billing-{at}"),
        ip: format!("10.0.0.{at}"),
        ready: true,
        terminating: false,
        created_ms: 1_000,
    };
    Observation {
        at_ms: 1_000_000 + at_s * 1_000,
        replicas: pods,
        pods: (0..pods as usize).map(pod).collect(),
        group: if pods == 0 {
            GroupState::Empty
        } else {
            GroupState::Stable
        },
        assignor: Assignor::Sticky,
        generation: i32::try_from(pods).expect("few pods"),
        members: (0..pods as usize).map(member).collect(),
        partitions,
        frozen: None,
    }
}

/// Twelve alike.
pub fn even(
    at_s: u64,
    pods: u32,
    backlog: i64,
    arrival_rate: f64,
    commit_rate: f64,
) -> Observation {
    observation(
        at_s,
        pods,
        (0..12)
            .map(|number| partition(number, backlog, arrival_rate, commit_rate))
            .collect(),
    )
}

/// Decides on the same figures, second after second, without following; the last decision.
pub fn hold(
    memory: &mut Memory,
    spec: &Spec,
    seconds: std::ops::Range<u64>,
    seen: impl Fn(u64) -> Observation,
) -> Decision {
    seconds
        .map(|at_s| decide(spec, memory, &seen(at_s)))
        .last()
        .expect("at least one second")
}

/// The first second at which the count is to change, and the decision.
pub fn first_change(
    memory: &mut Memory,
    spec: &Spec,
    seconds: std::ops::Range<u64>,
    seen: impl Fn(u64) -> Observation,
) -> Option<(u64, Decision)> {
    seconds
        .map(|at_s| (at_s, decide(spec, memory, &seen(at_s))))
        .find(|(at_s, decision)| decision.replicas != seen(*at_s).replicas)
}
