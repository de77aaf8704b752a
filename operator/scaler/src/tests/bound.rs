use crate::bound::{Downstream, Throughput};

fn now(total: u64, pods: u32) -> Throughput {
    Throughput {
        total,
        members: pods,
        busy: pods,
        stable_ms: 60_000,
        settle_ms: 20_000,
    }
}

/// Two pods do 200 a second, and so do four.
fn bound() -> Downstream {
    let mut downstream = Downstream::default();
    downstream.stepped_up(0, 2, 4, 100_000, now(200_000, 2));
    assert!(
        downstream.observe(1_000_000, true, 4, now(200_000, 4)),
        "no more than before"
    );
    assert_eq!(downstream.cap(), Some(2));
    downstream
}

#[test]
fn a_step_that_brings_nothing_is_taken_back_and_tried_again_after_a_pause() {
    let mut downstream = bound();
    assert!(!downstream.observe(1_500_000, true, 2, now(200_000, 2)));
    assert_eq!(downstream.cap(), Some(2), "the pause lasts");
    assert!(!downstream.observe(2_300_000, true, 2, now(200_000, 2)));
    assert_eq!(
        downstream.cap(),
        Some(3),
        "the pause is over, and a third more are tried"
    );
    downstream.stepped_up(2_300_000, 2, 4, 100_000, now(200_000, 2));
    assert!(
        !downstream.observe(2_400_000, true, 4, now(390_000, 4)),
        "nearly twice as much"
    );
    assert_eq!(downstream.cap(), None);
}

#[test]
fn a_step_is_taken_back_no_further_than_what_it_brought() {
    let mut downstream = Downstream::default();
    downstream.stepped_up(0, 2, 12, 100_000, now(200_000, 2));
    assert!(downstream.observe(1_000_000, true, 12, now(320_000, 12)));
    assert_eq!(downstream.cap(), Some(4), "four pods do 320 a second");
}

#[test]
fn a_limit_that_is_gone_is_noticed_before_the_pause_is_over() {
    let mut downstream = bound();
    downstream.observe(1_100_000, true, 2, now(210_000, 2));
    assert_eq!(downstream.cap(), Some(2), "hardly more");
    downstream.observe(1_101_000, true, 2, now(300_000, 2));
    assert_eq!(downstream.cap(), None);
}

#[test]
fn a_limit_is_forgotten_with_the_backlog() {
    let mut downstream = bound();
    downstream.observe(1_001_000, false, 2, now(200_000, 2));
    assert_eq!(downstream.cap(), None);
}

/// Of pods that have just got something to do.
fn unsettled(pods: u32) -> Throughput {
    Throughput {
        busy: 0,
        stable_ms: 3_000,
        ..now(10_000, pods)
    }
}

#[test]
fn steps_of_a_sudden_load_are_reckoned_together_against_what_the_pods_can_do() {
    let mut downstream = Downstream::default();
    downstream.stepped_up(0, 2, 4, 100_000, unsettled(2));
    downstream.stepped_up(5_000, 4, 12, 100_000, unsettled(2));
    assert!(!downstream.doubts(12, unsettled(12)), "nobody knows yet");
    assert!(downstream.doubts(12, now(200_000, 12)), "no further step");
    assert!(downstream.observe(90_000, true, 12, now(200_000, 12)));
    assert_eq!(downstream.cap(), Some(2), "two pods do that much");

    let mut downstream = Downstream::default();
    downstream.stepped_up(0, 2, 4, 100_000, unsettled(2));
    downstream.stepped_up(5_000, 4, 12, 100_000, unsettled(2));
    assert!(!downstream.observe(90_000, true, 12, now(900_000, 12)));
    assert_eq!(downstream.cap(), None, "as good as expected");
}

#[test]
fn a_consumer_that_became_slow_gets_its_pods_back_and_is_not_tried_again_at_once() {
    let mut downstream = Downstream::default();
    downstream.stepped_up(0, 2, 12, 100_000, unsettled(2));
    assert!(downstream.observe(90_000, true, 12, now(240_000, 12)));
    assert_eq!(downstream.cap(), Some(3));
    let starting = Throughput {
        busy: 0,
        ..now(60_000, 3)
    };
    downstream.observe(120_000, true, 3, starting);
    assert_eq!(downstream.cap(), Some(3), "not all are busy yet");
    downstream.observe(130_000, true, 3, now(60_000, 3));
    assert_eq!(downstream.cap(), None, "each pod does as little as before");
    downstream.stepped_up(131_000, 3, 12, 100_000, now(60_000, 3));
    assert!(!downstream.is_trying());
}
