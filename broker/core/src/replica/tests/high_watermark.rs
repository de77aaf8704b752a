use super::*;

#[test]
fn it_is_the_least_durable_end_in_sync() {
    let mut f = Fixture::leading(0, &[ME, TWO, THREE]);
    f.append(100);
    f.sync(90);
    f.has(TWO, 80);
    assert_eq!(f.has(THREE, 70), [hw(70)]);
    assert_eq!(f.has(THREE, 100), [hw(80)]);
    assert_eq!(
        f.has(TWO, 100),
        [hw(90)],
        "the leader's own durable end counts"
    );
    assert_eq!(f.sync(100), [hw(100)]);
}

#[test]
fn fetched_but_not_durable_does_not_count() {
    let mut f = Fixture::leading(0, &[ME, TWO]);
    f.append(100);
    f.sync(100);
    f.has(TWO, 10);
    assert_eq!(f.fetched(TWO, 100), []);
    assert_eq!(f.hw(), 10);
    assert_eq!(f.durable(TWO, 100), [hw(100)]);
}

#[test]
fn a_durable_end_beyond_the_fetched_one_is_not_believed() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.fetched(TWO, 50);
    assert_eq!(f.durable(TWO, 100), [hw(50)]);
}

#[test]
fn an_unknown_follower_in_sync_blocks_it() {
    let mut f = Fixture::leading(100, &[ME, TWO, THREE]);
    assert_eq!(f.has(TWO, 100), []);
    assert_eq!(f.hw(), 0);
}

#[test]
fn it_is_frozen_while_the_committed_isr_is_under_its_minimum() {
    let mut f = Fixture::leading(100, &[ME]);
    f.append(110);
    assert_eq!(f.sync(110), []);
    assert_eq!(f.has(TWO, 110), [propose(7, &[ME, TWO])]);
    assert_eq!(f.hw(), 0, "the addition is not committed");
    assert_eq!(f.step(committed(8, &[ME, TWO])), [hw(110)]);
}

#[test]
fn a_proposed_addition_holds_it_back() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(TWO, 100);
    assert_eq!(f.has(THREE, 100), [propose(7, &[ME, TWO, THREE])]);
    f.append(200);
    f.sync(200);
    assert_eq!(f.has(TWO, 200), []);
    assert_eq!(f.hw(), 100);
    assert_eq!(f.has(THREE, 150), [hw(150)]);
}

#[test]
fn a_proposed_removal_holds_it_back_until_it_is_committed() {
    let mut f = Fixture::leading(100, &[ME, TWO, THREE]);
    f.has(TWO, 100);
    f.has(THREE, 40);
    assert_eq!(f.hw(), 40);
    f.now = f.now.plus(LAG_MS + 1);
    assert_eq!(f.step(Event::Tick), [propose(7, &[ME, TWO])]);
    assert_eq!(f.hw(), 40);
    assert_eq!(f.step(committed(8, &[ME, TWO])), [hw(100)]);
}

#[test]
fn a_caught_up_live_replica_outside_the_isr_holds_it_back() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(TWO, 100);
    f.has(THREE, 100);
    f.step(refused(7, IsrRefused::Ineligible));
    f.append(200);
    f.sync(200);
    assert_eq!(f.has(TWO, 200), [], "three was caught up a moment ago");
    let mut without_three = membership(Some(ME), (5, 7), &[ME, TWO]);
    without_three.live.retain(|(b, _)| *b != THREE);
    assert_eq!(
        f.step(Event::Metadata(without_three)),
        [hw(200)],
        "fenced: it counts no more"
    );
}

#[test]
fn who_was_caught_up_long_ago_does_not_hold_it_back() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(TWO, 100);
    f.has(THREE, 40);
    f.append(200);
    f.sync(200);
    assert_eq!(f.has(TWO, 200), [hw(200)]);
    // Filled slowly: where the log ended seconds ago, and far from where it ends now.
    f.now = f.now.plus(5_000);
    assert_eq!(f.has(THREE, 100), []);
    f.append(300);
    f.sync(300);
    assert_eq!(f.has(TWO, 300), [hw(300)]);
    // From one fetch to the next: it is nearly there.
    f.now = f.now.plus(10);
    assert_eq!(f.has(THREE, 290), []);
    f.now = f.now.plus(10);
    f.append(400);
    f.sync(400);
    assert_eq!(f.has(THREE, 300), [propose(7, &[ME, TWO, THREE])]);
    assert_eq!(f.has(TWO, 400), []);
    assert_eq!(f.has(THREE, 400), [hw(400)]);
}

#[test]
fn a_straggler_outside_the_isr_does_not_hold_it_back() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(THREE, 10);
    assert_eq!(f.has(TWO, 100), [hw(100)]);
}

#[test]
fn it_never_goes_back_while_the_log_is_not_cut() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(TWO, 100);
    assert_eq!(f.fetched(TWO, 20), []);
    assert_eq!(f.hw(), 100);
}

#[test]
fn a_restarted_follower_is_unknown_again() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(TWO, 50);
    let mut restarted = membership(Some(ME), (5, 7), &[ME, TWO]);
    restarted.live = vec![(ME, epoch_of(ME)), (TWO, BrokerEpoch(77))];
    f.step(Event::Metadata(restarted));
    assert_eq!(
        f.has(TWO, 100),
        [],
        "reports under its earlier registration"
    );
    let (follower, epoch) = (TWO, BrokerEpoch(77));
    assert_eq!(
        f.step(Event::FollowerDurable {
            follower,
            epoch,
            durable_end: Offset(90)
        }),
        []
    );
    let fetched = Event::FollowerFetched {
        follower,
        epoch,
        fetch_offset: Offset(90),
    };
    assert_eq!(f.step(fetched), [hw(90)]);
}
