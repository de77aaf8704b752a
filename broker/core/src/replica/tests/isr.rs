use super::*;

fn tick_ms(f: &mut Fixture, ms: i64) -> Vec<Command> {
    f.after(ms, Event::Tick)
}

#[test]
fn a_follower_durable_to_the_high_watermark_and_epoch_start_is_proposed() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    assert_eq!(
        f.has(THREE, 99),
        [],
        "below the epoch's start, though above the high watermark"
    );
    assert_eq!(f.fetched(THREE, 100), []);
    assert_eq!(f.durable(THREE, 100), [propose(7, &[ME, TWO, THREE])]);
    assert_eq!(f.replica.isr(), [ME, TWO]);
    assert_eq!(f.step(committed(8, &[ME, TWO, THREE])), []);
    assert_eq!(f.replica.isr(), [ME, TWO, THREE]);
}

#[test]
fn a_follower_below_the_high_watermark_is_not_proposed() {
    let mut f = Fixture::leading(0, &[ME, TWO]);
    f.append(50);
    f.sync(50);
    f.has(TWO, 50);
    assert_eq!(f.has(THREE, 49), []);
}

#[test]
fn a_zombie_registration_neither_counts_nor_joins() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    let before = f.replica.clone();
    let (follower, epoch) = (THREE, BrokerEpoch(29));
    f.step(Event::FollowerFetched {
        follower,
        epoch,
        fetch_offset: Offset(100),
    });
    f.step(Event::FollowerDurable {
        follower,
        epoch,
        durable_end: Offset(100),
    });
    assert_eq!(f.replica, before);
}

#[test]
fn a_fenced_or_unheard_of_registration_does_not_join() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    let (follower, epoch) = (THREE, BrokerEpoch(31));
    f.step(Event::FollowerFetched {
        follower,
        epoch,
        fetch_offset: Offset(100),
    });
    let durable = Event::FollowerDurable {
        follower,
        epoch,
        durable_end: Offset(100),
    };
    assert_eq!(
        f.step(durable),
        [],
        "the metadata here does not know 31 yet"
    );
    let mut known = membership(Some(ME), (5, 7), &[ME, TWO]);
    known.live[2].1 = epoch;
    assert_eq!(f.step(Event::Metadata(known)), []);
    let isr = vec![(ME, epoch_of(ME)), (TWO, epoch_of(TWO)), (THREE, epoch)];
    let asked = Command::ProposeIsr {
        leader_epoch: LeaderEpoch(5),
        partition_epoch: PartitionEpoch(7),
        isr,
    };
    assert_eq!(f.step(Event::Tick), [asked]);
}

#[test]
fn one_proposal_is_under_way_at_a_time() {
    let mut f = Fixture::leading(100, &[ME]);
    assert_eq!(f.has(TWO, 100), [propose(7, &[ME, TWO])]);
    assert_eq!(f.has(THREE, 100), []);
    assert_eq!(f.step(committed(8, &[ME, TWO])), [hw(100)]);
    assert_eq!(f.step(Event::Tick), [propose(8, &[ME, TWO, THREE])]);
}

#[test]
fn a_follower_behind_for_longer_than_the_lag_is_dropped() {
    let mut f = Fixture::leading(0, &[ME, TWO, THREE]);
    f.append(100);
    f.has(TWO, 100);
    f.has(THREE, 60);
    assert_eq!(tick_ms(&mut f, LAG_MS), [], "the bound is inclusive");
    assert_eq!(tick_ms(&mut f, 1), [propose(7, &[ME, TWO])]);
}

#[test]
fn a_follower_that_fetches_but_never_syncs_is_dropped() {
    let mut f = Fixture::leading(0, &[ME, TWO]);
    f.has(TWO, 0);
    f.append(100);
    f.fetched(TWO, 100);
    assert_eq!(tick_ms(&mut f, LAG_MS + 1), [propose(7, &[ME])]);
}

#[test]
fn a_follower_always_a_moment_behind_a_busy_leader_stays() {
    let mut f = Fixture::leading(0, &[ME, TWO]);
    f.has(TWO, 0);
    for round in 1..200 {
        f.append(round * 10);
        f.has(TWO, round * 10 - 15);
        assert!(
            !tick_ms(&mut f, 1000).contains(&propose(7, &[ME])),
            "round {round}"
        );
    }
}

#[test]
fn a_long_idle_follower_has_the_whole_lag_time_after_a_write() {
    let mut f = Fixture::leading(0, &[ME, TWO]);
    f.has(TWO, 0);
    assert_eq!(tick_ms(&mut f, 10 * LAG_MS), [], "it has everything");
    f.append(10);
    assert_eq!(tick_ms(&mut f, LAG_MS), []);
    assert_eq!(tick_ms(&mut f, 1), [propose(7, &[ME])]);
}

#[test]
fn a_stale_refusal_waits_for_metadata() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(THREE, 100);
    assert_eq!(f.step(refused(7, IsrRefused::Stale)), []);
    assert_eq!(tick_ms(&mut f, 1000), []);
    assert_eq!(
        f.step(Event::Metadata(membership(Some(ME), (5, 8), &[ME, TWO]))),
        []
    );
    assert_eq!(f.step(Event::Tick), [propose(8, &[ME, TWO, THREE])]);
}

#[test]
fn a_refusal_of_an_earlier_proposal_is_ignored() {
    let mut f = Fixture::leading(100, &[ME]);
    f.has(TWO, 100);
    f.step(committed(8, &[ME, TWO]));
    assert_eq!(f.has(THREE, 100), [propose(8, &[ME, TWO, THREE])]);
    let before = f.replica.clone();
    f.step(refused(7, IsrRefused::Ineligible));
    assert_eq!(f.replica, before);
}

#[test]
fn an_unknown_outcome_is_proposed_again_unchanged() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    assert_eq!(f.has(THREE, 100), [propose(7, &[ME, TWO, THREE])]);
    assert_eq!(f.step(refused(7, IsrRefused::Unknown)), []);
    assert_eq!(tick_ms(&mut f, 199), []);
    assert_eq!(tick_ms(&mut f, 1), [propose(7, &[ME, TWO, THREE])]);
}

#[test]
fn an_ineligible_addition_is_forgotten_and_tried_again_later() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(TWO, 100);
    f.has(THREE, 100);
    assert_eq!(f.step(refused(7, IsrRefused::Ineligible)), []);
    assert_eq!(f.has(THREE, 100), [], "not at once");
    assert_eq!(tick_ms(&mut f, 200), [propose(7, &[ME, TWO, THREE])]);
}

#[test]
fn an_addition_that_may_be_taken_yet_counts_until_the_partition_epoch_moves() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(TWO, 100);
    f.has(THREE, 100);
    f.step(refused(7, IsrRefused::Unknown));
    tick_ms(&mut f, 200);
    f.step(refused(7, IsrRefused::Ineligible));
    let mut without_three = membership(Some(ME), (5, 7), &[ME, TWO]);
    without_three.live.retain(|(b, _)| *b != THREE);
    f.step(Event::Metadata(without_three.clone()));
    f.append(200);
    f.sync(200);
    assert_eq!(f.has(TWO, 200), [], "the first attempt may be taken yet");
    assert_eq!(
        tick_ms(&mut f, 200),
        [propose(7, &[ME, TWO])],
        "which this settles"
    );
    without_three.partition_epoch = PartitionEpoch(8);
    assert_eq!(f.step(Event::Metadata(without_three)), [hw(200)]);
}

#[test]
fn metadata_and_answer_may_come_in_either_order() {
    let isr = [ME, TWO, THREE];
    let events = [
        committed(8, &isr),
        Event::Metadata(membership(Some(ME), (5, 8), &isr)),
    ];
    for order in [[0, 1], [1, 0]] {
        let mut f = Fixture::leading(100, &[ME, TWO]);
        f.has(THREE, 100);
        for i in order {
            assert_eq!(f.step(events[i].clone()), []);
        }
        assert_eq!(f.replica.isr(), isr);
        f.append(110);
        assert_eq!(
            tick_ms(&mut f, LAG_MS + 1),
            [propose(8, &[ME])],
            "nothing under way"
        );
    }
}

#[test]
fn a_stopping_replica_stays_in_sync_and_does_not_join() {
    let mut f = Fixture::leading(100, &[ME]);
    let mut stopping = membership(Some(ME), (5, 7), &[ME]);
    stopping.stopping = vec![ME, THREE];
    f.step(Event::Metadata(stopping));
    assert_eq!(f.has(THREE, 100), []);
    let proposed = f.has(TWO, 100);
    assert_eq!(
        proposed,
        [propose(7, &[ME, TWO])],
        "a stopping leader still makes itself an heir"
    );
}
