//! Whom a leader would send a consumer to.

use super::*;

#[test]
fn the_furthest_in_sync_follower_that_holds_the_offset_is_named() {
    let mut leader = Fixture::leading(10, &[ME, TWO, THREE]);
    assert_eq!(
        leader.replica.furthest(&[TWO, THREE], Offset(0)),
        None,
        "a new leader knows nothing of its followers"
    );
    leader.has(TWO, 8);
    leader.has(THREE, 10);
    let furthest = |among: &[BrokerId], at| leader.replica.furthest(among, Offset(at));
    assert_eq!(furthest(&[TWO, THREE], 5), Some(THREE));
    assert_eq!(furthest(&[TWO], 8), Some(TWO));
    assert_eq!(furthest(&[TWO], 9), None, "it does not hold 8 yet");
    assert_eq!(furthest(&[], 5), None);
}

#[test]
fn of_equals_the_first_is_named_and_nobody_out_of_sync() {
    let mut leader = Fixture::leading(10, &[ME, TWO, THREE]);
    leader.has(TWO, 10);
    leader.has(THREE, 10);
    let both = [THREE, TWO];
    assert_eq!(leader.replica.furthest(&both, Offset(5)), Some(THREE));
    let smaller = membership(Some(ME), (5, 8), &[ME, TWO]);
    leader.step(Event::Metadata(smaller));
    assert_eq!(leader.replica.furthest(&both, Offset(5)), Some(TWO));
}

#[test]
fn a_follower_names_nobody() {
    let follower = Fixture::following(10);
    assert_eq!(follower.replica.furthest(&[THREE], Offset(0)), None);
}
