use super::group::{even, first_change, hold, observation, partition, spec};
use crate::{Assignor, Freeze, GroupState, Memory, NoCommit, Reason, Spec, decide};

#[test]
fn the_first_message_wakes_a_group_of_none() {
    let mut partitions: Vec<_> = (0..12)
        .map(|number| partition(number, 0, 0.0, 0.0))
        .collect();
    let calm = decide(
        &spec(),
        &mut Memory::default(),
        &observation(0, 0, partitions.clone()),
    );
    assert_eq!((calm.replicas, calm.reason), (0, Reason::Steady));
    partitions[3] = partition(3, 1, 0.1, 0.0);
    let woken = decide(
        &spec(),
        &mut Memory::default(),
        &observation(1, 0, partitions),
    );
    assert_eq!((woken.replicas, woken.reason), (1, Reason::WakeUp));
}

#[test]
fn a_large_backlog_wakes_as_many_as_it_needs() {
    // 12 x 800 in 40 s (60 less the start-up) is 240 a second.
    let woken = decide(&spec(), &mut Memory::default(), &even(0, 0, 800, 0.0, 0.0));
    assert_eq!((woken.replicas, woken.reason), (3, Reason::WakeUp));
    assert_eq!(
        woken.message,
        "from 0 up to 3 pods: backlog 9600 with 60 s left, 0 in a second, 0 committed; the busiest pod would have \
         240 to do of 100 (not measured yet)"
    );
}

#[test]
fn a_group_goes_to_zero_only_when_all_is_committed_and_nothing_arrives() {
    let mut memory = Memory::default();
    let one_left = hold(&mut memory, &spec(), 0..500, |at_s| {
        let mut seen = even(at_s, 2, 0, 0.0, 0.0);
        seen.partitions[0].end += i64::try_from(20 + at_s % 2).expect("small");
        seen
    });
    assert!(one_left.replicas > 0, "{}", one_left.message);
    let (_, decision) = first_change(&mut Memory::default(), &spec(), 0..1_000, |at_s| {
        even(at_s, 2, 0, 0.0, 0.0)
    })
    .expect("goes down");
    assert_eq!((decision.replicas, decision.reason), (0, Reason::ToZero));
    assert_eq!(
        decision.message,
        "from 2 down to 0 pods: all is committed and nothing arrives"
    );
}

#[test]
fn the_minimum_is_kept_when_idle() {
    let spec = Spec {
        min_replicas: 2,
        ..spec()
    };
    assert!(
        first_change(&mut Memory::default(), &spec, 0..1_000, |at_s| even(
            at_s, 2, 0, 0.0, 0.0
        ))
        .is_none()
    );
}

#[test]
fn markers_at_the_end_of_the_logs_are_not_work_for_ever() {
    let with_marker = |at_s: u64| {
        let mut seen = even(at_s, 1, 0, 0.0, 0.0);
        seen.partitions[5].end += 1;
        seen
    };
    let mut memory = Memory::default();
    let (at_s, decision) =
        first_change(&mut memory, &spec(), 0..2_000, with_marker).expect("goes to zero in the end");
    assert!(
        at_s >= 600,
        "not while a member may still work on it, but at {at_s} s"
    );
    assert_eq!(decision.reason, Reason::ToZero);
    let still = hold(&mut memory, &spec(), at_s + 1..at_s + 100, |at_s| {
        let mut seen = even(at_s, 0, 0, 0.0, 0.0);
        seen.partitions[5].end += 1;
        seen
    });
    assert_eq!(still.replicas, 0, "the marker does not wake it");
}

#[test]
fn nothing_changes_while_frozen() {
    let mut seen = even(0, 3, 100_000, 500.0, 0.0);
    seen.frozen = Some(Freeze::Stale { age_ms: 42_000 });
    let decision = decide(&spec(), &mut Memory::default(), &seen);
    assert_eq!(decision.replicas, 3);
    assert_eq!(
        decision.message,
        "stays at 3 pods: the brokers' figures are 42 s old"
    );
}

#[test]
fn nothing_changes_during_a_rebalance() {
    let mut seen = even(0, 3, 100_000, 50.0, 0.0);
    seen.group = GroupState::Rebalancing;
    let mut memory = Memory::default();
    memory.step.at_ms = seen.at_ms;
    assert_eq!(
        decide(&spec(), &mut memory, &seen).reason,
        Reason::Rebalancing
    );
}

#[test]
fn without_any_commit_no_commit_decides() {
    let mut seen = even(0, 0, 100, 0.0, 0.0);
    seen.partitions
        .iter_mut()
        .for_each(|partition| partition.committed = None);
    let held = decide(&spec(), &mut Memory::default(), &seen);
    assert_eq!((held.replicas, held.reason), (0, Reason::Held));
    let earliest = Spec {
        no_commit: NoCommit::Earliest,
        ..spec()
    };
    assert_eq!(
        decide(&earliest, &mut Memory::default(), &seen).reason,
        Reason::WakeUp
    );
    let latest = Spec {
        no_commit: NoCommit::Latest,
        ..spec()
    };
    assert_eq!(
        decide(&latest, &mut Memory::default(), &seen).reason,
        Reason::Steady
    );
}

#[test]
fn a_group_that_keeps_up_is_left_alone_although_it_shows_a_lag() {
    // 240 a second, committed every five: 100 of each partition's 20 a second are always open.
    let decision = hold(&mut Memory::default(), &spec(), 0..2_000, |at_s| {
        even(
            at_s,
            3,
            i64::try_from(at_s % 5 * 20).expect("small"),
            20.0,
            20.0,
        )
    });
    assert_eq!(decision.replicas, 3, "{}", decision.message);
    assert_eq!(decision.inputs.excess, 0);
}

#[test]
fn one_hot_partition_is_named_and_gets_no_endless_pods() {
    let decision = hold(&mut Memory::default(), &spec(), 0..60, |at_s| {
        let mut seen = even(at_s, 12, 0, 10.0, 10.0);
        seen.partitions[7] = partition(7, 30_000, 300.0, 100.0);
        seen.partitions[7].end += i64::try_from(at_s * 200).expect("small");
        seen
    });
    assert_eq!(decision.replicas, 12);
    assert_eq!(decision.reason.name(), "PartitionBound");
    assert!(
        decision
            .message
            .contains("partition orders-7 needs more than one pod can do"),
        "{}",
        decision.message
    );
}

#[test]
fn a_stuck_partition_is_named_and_gets_no_pods() {
    let seen = |at_s: u64| {
        let mut seen = even(at_s, 3, 0, 20.0, 20.0);
        seen.partitions[4] = partition(
            4,
            1_000 + i64::try_from(at_s * 20).expect("small"),
            20.0,
            0.0,
        );
        seen
    };
    let mut memory = Memory::default();
    hold(&mut memory, &spec(), 0..40, |at_s| {
        even(at_s, 3, 0, 20.0, 20.0)
    });
    assert!(first_change(&mut memory, &spec(), 40..600, seen).is_none());
    let decision = decide(&spec(), &mut memory, &seen(600));
    assert_eq!(decision.reason.name(), "Stuck");
    assert!(
        decision
            .message
            .contains("nobody commits on partition orders-4"),
        "{}",
        decision.message
    );
}

#[test]
fn a_group_that_commits_nothing_gets_no_more_pods() {
    let mut memory = Memory::default();
    let decision = hold(&mut memory, &spec(), 0..300, |at_s| {
        even(
            at_s,
            12,
            i64::try_from(1_000 + at_s).expect("small"),
            1.0,
            0.0,
        )
    });
    assert_eq!(
        (decision.replicas, decision.reason),
        (12, Reason::NoProgress)
    );
}

#[test]
fn two_topics_under_range_are_counted_as_the_group_shares_them() {
    // Four partitions each: range gives a pod one of each topic, so that more than four pods change nothing.
    let mut partitions: Vec<_> = (0..4)
        .map(|number| partition(number, 3_000, 45.0, 40.0))
        .collect();
    partitions.extend((0..4).map(|number| {
        let mut of = partition(number, 3_000, 45.0, 40.0);
        of.id.topic = "returns".to_owned();
        of
    }));
    let mut seen = observation(0, 0, partitions);
    seen.assignor = Assignor::Range;
    assert_eq!(decide(&spec(), &mut Memory::default(), &seen).replicas, 4);
    seen.assignor = Assignor::RoundRobin;
    assert_eq!(decide(&spec(), &mut Memory::default(), &seen).replicas, 8);
}

#[test]
fn busy_pods_are_not_the_first_to_go() {
    let (_, decision) = first_change(&mut Memory::default(), &spec(), 0..1_000, |at_s| {
        let mut partitions: Vec<_> = (0..12)
            .map(|number| partition(number, 0, 0.0, 0.0))
            .collect();
        partitions[0] = partition(0, 40, 10.0, 10.0);
        partitions[2] = partition(2, 0, 2.0, 2.0);
        observation(at_s, 4, partitions)
    })
    .expect("goes down");
    assert!(
        decision.replicas < 4 && decision.replicas > 0,
        "{}",
        decision.message
    );
    let cost = |pod: &str| {
        decision
            .deletion_costs
            .iter()
            .find(|(name, _)| name == pod)
            .map(|(_, cost)| *cost)
    };
    assert!(
        cost("billing-0") > cost("billing-1") && cost("billing-2") > cost("billing-3"),
        "{:?}",
        decision.deletion_costs
    );
}

#[test]
fn the_count_is_brought_back_within_its_bounds() {
    let spec = Spec {
        min_replicas: 2,
        max_replicas: 4,
        ..spec()
    };
    let few = decide(&spec, &mut Memory::default(), &even(0, 1, 0, 0.0, 0.0));
    assert_eq!((few.replicas, few.reason), (2, Reason::OutOfBounds));
    let many = decide(&spec, &mut Memory::default(), &even(0, 9, 0, 0.0, 0.0));
    assert_eq!((many.replicas, many.reason), (4, Reason::OutOfBounds));
}

#[test]
fn memory_reads_what_others_wrote() {
    let newer = r#"{"seenMs": 7, "somethingNew": [1, 2], "learnt": {"rate": 5, "alsoNew": true}}"#;
    let memory: Memory = serde_json::from_str(newer).expect("unknown fields are ignored");
    assert_eq!((memory.seen_ms, memory.learnt.rate), (7, 5));
    assert_eq!(
        serde_json::from_str::<Memory>("{}").expect("all may be missing"),
        Memory::default()
    );
}

#[test]
fn memory_stays_small_whatever_the_group() {
    let mut memory = Memory::default();
    for at_s in 0..90 {
        let mut seen = observation(
            at_s,
            3,
            (0..60)
                .map(|number| partition(number, 9_000, 9.0, 0.0))
                .collect(),
        );
        seen.partitions[0] = partition(0, 9_000, 9.0, 9.0);
        decide(&spec(), &mut memory, &seen);
    }
    let written = serde_json::to_string(&memory).expect("serialises");
    assert!(written.len() < 4_096, "{} bytes: {written}", written.len());
    assert_eq!(
        serde_json::from_str::<Memory>(&written).expect("reads"),
        memory
    );
}
