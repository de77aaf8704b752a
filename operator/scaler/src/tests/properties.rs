use proptest::prelude::*;

use super::group::{even, observation, partition, spec};
use crate::{Assignor, Memory, Observation, Spec, decide};

fn assignors() -> impl Strategy<Value = Assignor> {
    prop_oneof![
        Just(Assignor::Range),
        Just(Assignor::RoundRobin),
        Just(Assignor::Sticky),
        Just(Assignor::Other("own".to_owned())),
    ]
}

prop_compose! {
    fn observations()(
        assignor in assignors(),
        pods in 0u32..15,
        figures in prop::collection::vec((-50i64..100_000, -1.0f64..500.0, 0.0f64..200.0, any::<bool>()), 0..20),
        at_s in 0u64..10_000,
    ) -> Observation {
        let partitions = figures.iter().enumerate().map(|(number, (backlog, arrival, commit, committed))| {
            let number = i32::try_from(number).expect("few");
            let mut of = partition(number, *backlog, *arrival, *commit);
            of.id.topic = format!("t{}", number % 3);
            of.committed = of.committed.filter(|_| *committed);
            of
        });
        let mut seen = observation(at_s, pods, partitions.collect());
        seen.assignor = assignor;
        seen
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_count_is_always_within_its_bounds(min in 0u32..4, more in 0u32..9, seen in prop::collection::vec(observations(), 1..30)) {
        let spec = Spec { min_replicas: min, max_replicas: (min + more).max(1), ..spec() };
        let mut memory = Memory::default();
        for seen in seen {
            let decision = decide(&spec, &mut memory, &seen);
            prop_assert!((spec.min_replicas..=spec.max_replicas).contains(&decision.replicas), "{}", decision.message);
            let with_work = decision.inputs.partitions_with_work.max(spec.min_replicas).max(1);
            prop_assert!(decision.replicas <= with_work.max(seen.replicas), "more than have work: {}", decision.message);
        }
    }

    #[test]
    fn the_same_arguments_give_the_same_answer(seen in prop::collection::vec(observations(), 1..20)) {
        let (mut one, mut other) = (Memory::default(), Memory::default());
        for seen in seen {
            prop_assert_eq!(decide(&spec(), &mut one, &seen), decide(&spec(), &mut other, &seen));
            // A restart of the operator in between changes nothing.
            other = serde_json::from_str(&serde_json::to_string(&other).expect("writes")).expect("reads");
            prop_assert_eq!(&one, &other);
        }
    }

    #[test]
    fn more_backlog_never_needs_fewer_pods(
        assignor in assignors(),
        backlogs in prop::collection::vec(0i64..20_000, 1..20),
        more in 1i64..5,
        rate in 0.0f64..40.0,
    ) {
        let count = |times: i64| {
            let partitions = backlogs.iter().enumerate().map(|(number, backlog)| {
                partition(i32::try_from(number).expect("few"), backlog * times, rate, 0.0)
            });
            let mut seen = observation(0, 0, partitions.collect());
            seen.assignor = assignor.clone();
            let decision = decide(&Spec { max_replicas: 20, ..spec() }, &mut Memory::default(), &seen);
            decision.replicas
        };
        let (less, more) = (count(1), count(more));
        prop_assert!(less <= more, "{less} pods, and {more} for more");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    #[test]
    fn what_does_not_change_is_settled_by_one_step_up_and_never_flaps(
        rate in 0.0f64..90.0,
        pods in 1u32..12,
    ) {
        // Caught up at any rate: the count may move to what is right, and then stays for an hour.
        let mut memory = Memory::default();
        let mut replicas = pods;
        let mut ups = 0;
        let mut last_up = None;
        for at_s in 0..1_200 {
            let decision = decide(&spec(), &mut memory, &even(at_s, replicas, 0, rate, rate));
            if decision.replicas > replicas {
                ups += 1;
                last_up = Some(at_s);
            }
            if decision.replicas < replicas && let Some(up_s) = last_up {
                prop_assert!(at_s > up_s + 150, "down {} s after up", at_s - up_s);
            }
            replicas = decision.replicas;
        }
        prop_assert!(ups <= 4, "{ups} steps up");
        let at_the_end = replicas;
        for at_s in 1_200..1_800 {
            replicas = decide(&spec(), &mut memory, &even(at_s, replicas, 0, rate, rate)).replicas;
            prop_assert_eq!(replicas, at_the_end);
        }
    }
}
