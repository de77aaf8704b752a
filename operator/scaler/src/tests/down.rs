use crate::down::{Candidate, Fewer};
use crate::tuning;

const COST: u64 = 200_000;
const ALLOWED_MS: u64 = 30_000;

fn candidate(count: u32, load: u64) -> Candidate {
    Candidate {
        count,
        load,
        behind_ms: 0,
    }
}

/// The second at which a group of `replicas` goes down, and to what, when the loads of smaller counts are these.
fn goes_down(
    fewer: &mut Fewer,
    from_s: u64,
    replicas: u32,
    loads: impl Fn(u64) -> Vec<Candidate>,
) -> Option<(u64, u32)> {
    (from_s..from_s + 20_000).find_map(|at_s| {
        fewer.observe(at_s * 1_000, &loads(at_s - from_s), ALLOWED_MS);
        fewer
            .worth(replicas, |_| COST)
            .map(|to| (at_s - from_s, to))
    })
}

#[test]
fn a_burst_that_fewer_would_have_got_through_in_time_does_not_keep_the_count() {
    let burst = |at_s: u64| if at_s % 600 < 50 { 1_500 } else { 100 };
    let down = goes_down(&mut Fewer::default(), 10_000, 12, |at_s| {
        vec![candidate(6, burst(at_s))]
    });
    assert_eq!(down.map(|(_, to)| to), Some(6), "25 s behind is in time");
    let longer = |at_s: u64| if at_s % 600 < 100 { 1_500 } else { 1_000 };
    let down = goes_down(&mut Fewer::default(), 10_000, 12, |at_s| {
        vec![candidate(6, longer(at_s))]
    });
    assert_eq!(down, None, "50 s behind is not");
}

#[test]
fn one_step_down_is_made_rather_than_two() {
    // Two would do from the 100th second on, six from the beginning.
    let down = goes_down(&mut Fewer::default(), 10_000, 12, |at_s| {
        let two = if at_s < 100 { 2_000 } else { 500 };
        vec![candidate(2, two), candidate(6, 200)]
    });
    assert_eq!(down.map(|(_, to)| to), Some(2));
}

#[test]
fn a_step_down_that_did_not_pay_makes_the_next_one_wait_longer_and_one_that_did_shorter() {
    let idle = |_: u64| vec![candidate(2, 100)];
    let mut fewer = Fewer::default();
    let (first_s, to) = goes_down(&mut fewer, 10_000, 12, idle).expect("goes down");
    fewer.stepped_down(20_000_000, 12, to, COST);
    fewer.stepped_up(20_010_000, 12);
    let (second_s, _) = goes_down(&mut fewer, 30_000, 12, idle).expect("goes down");
    assert!(
        second_s > first_s,
        "{second_s} s after ten seconds' use, {first_s} s before"
    );
    fewer.stepped_down(60_000_000, 12, to, COST);
    fewer.stepped_up(60_000_000 + COST * tuning::REGRET_FACTOR, 12);
    let (third_s, _) = goes_down(&mut fewer, 90_000, 12, idle).expect("goes down");
    assert!(third_s < second_s, "{third_s} s, {second_s} s before");
}

#[test]
fn nothing_is_known_of_a_time_that_was_not_seen() {
    let mut fewer = Fewer::default();
    fewer.observe(1_000_000, &[candidate(2, 100)], ALLOWED_MS);
    fewer.observe(9_000_000, &[candidate(2, 100)], ALLOWED_MS);
    assert_eq!(fewer.worth(12, |_| 1), None);
}
