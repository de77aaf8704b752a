//! The score on a short version: few curves, few draws. The whole table is in docs/CONSUMER_SCALER.md.

use crate::Reason;
use crate::sim::{Comparison, Scenario, measure, run_rival, run_weir, trace_weir, tuning};

/// What the rule chose for the rival on the whole tuning set.
const THRESHOLD: u64 = 25;
const DRAWS: u64 = 3;

fn named(name: &str) -> Scenario {
    tuning()
        .into_iter()
        .find(|scenario| scenario.name == name)
        .expect("a curve of the tuning set")
}

#[test]
fn the_same_seed_gives_the_same_score() {
    let scenario = named("from zero and back").draw(1);
    assert_eq!(run_weir(&scenario), run_weir(&scenario));
    assert_eq!(
        run_rival(&scenario, THRESHOLD),
        run_rival(&scenario, THRESHOLD)
    );
}

#[test]
fn a_short_set_reaches_all_goals() {
    let curves: Vec<Scenario> = [
        "steps, eager range",
        "ramps",
        "bursts of a minute every ten",
        "two topics, range",
        "from zero and back",
    ]
    .map(named)
    .to_vec();
    let comparison = Comparison {
        draws: DRAWS,
        rows: measure(&curves, DRAWS, &[THRESHOLD]),
        thresholds: vec![THRESHOLD],
    };
    let missed = comparison.missed(0);
    assert!(missed.is_empty(), "{missed:?}\n{}", comparison.markdown(0));
}

#[test]
fn a_limit_downstream_is_found_taken_back_and_left_behind() {
    for draw in 0..DRAWS {
        let scenario = named("downstream bound").draw(draw);
        let (mut found_s, mut most, mut back) = (Vec::new(), 0, None);
        let mut last = None;
        trace_weir(&scenario, |seen, decision| {
            let at_s = (seen.at_ms - 1_000_000_000) / 1_000;
            most = most.max(decision.replicas);
            if decision.reason == Reason::DownstreamBound && decision.replicas < seen.replicas {
                found_s.push(at_s);
                back = Some(decision.replicas);
            }
            last = Some((seen.clone(), decision.clone()));
        });
        // The load is above the limit from 900 to 2100 s; what piles up then is gone half an hour later.
        assert!(
            found_s
                .first()
                .is_some_and(|at_s| (900..1_500).contains(at_s)),
            "draw {draw}: found at {found_s:?}"
        );
        assert!(
            found_s.len() <= 4,
            "draw {draw}: tried again at {found_s:?}"
        );
        assert!(
            back.is_some_and(|back| back < most && back >= 3),
            "draw {draw}: back to {back:?} from {most}, and 320 a second are more than two pods do"
        );
        let (seen, decision) = last.expect("the curve is not empty");
        assert_eq!(
            decision.inputs.excess, 0,
            "draw {draw}: {}",
            decision.message
        );
        assert!(
            decision.inputs.cap > 6,
            "draw {draw}: the limit is forgotten with the backlog: {}",
            decision.message
        );
        assert!(seen.replicas < most, "draw {draw}: {}", decision.message);
    }
}
