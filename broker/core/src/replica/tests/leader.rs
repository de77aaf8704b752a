use super::*;

#[test]
fn a_sole_replica_commits_what_it_synced() {
    let mut f = Fixture::new(log(0));
    let mut alone = membership(Some(ME), (5, 7), &[ME]);
    alone.replicas = vec![ME];
    alone.min_isr = 1;
    let commands = f.step(Event::Metadata(alone));
    let start = Command::StartLeading {
        epoch: LeaderEpoch(5),
        start: Offset(0),
    };
    assert_eq!(commands, [start]);
    assert_eq!(f.append(10), []);
    assert!(!f.replica.wait_satisfied(Offset(10), true));
    assert_eq!(f.sync(10), [hw(10)]);
    assert!(f.replica.wait_satisfied(Offset(10), true));
    assert!(f.replica.wait_satisfied(Offset(10), false));
}

#[test]
fn a_new_leader_serves_no_high_watermark_before_its_epochs_start() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    assert_eq!(f.hw(), 0);
    assert!(!f.replica.hw_is_served());
    assert_eq!(f.has(TWO, 60), [hw(60)]);
    assert!(!f.replica.hw_is_served());
    assert_eq!(f.has(TWO, 100), [hw(100)]);
    assert!(f.replica.hw_is_served());
}

#[test]
fn a_new_epoch_forgets_followers_positions() {
    let mut f = Fixture::leading(100, &[ME, TWO]);
    f.has(TWO, 100);
    f.append(110);
    f.sync(110);
    let commands = f.step(Event::Metadata(membership(Some(ME), (6, 8), &[ME, TWO])));
    let start = Command::StartLeading {
        epoch: LeaderEpoch(6),
        start: Offset(110),
    };
    assert_eq!(commands, [start]);
    assert!(
        !f.replica.hw_is_served(),
        "100 is below the new epoch's start"
    );
    assert_eq!(f.fetched(TWO, 110), [], "its durable end is unknown again");
    assert_eq!(f.durable(TWO, 110), [hw(110)]);
}

#[test]
fn older_metadata_changes_nothing() {
    let mut f = Fixture::leading(0, &[ME, TWO]);
    let before = f.replica.clone();
    assert_eq!(
        f.step(Event::Metadata(membership(Some(TWO), (4, 9), &[TWO]))),
        []
    );
    assert_eq!(
        f.step(Event::Metadata(membership(Some(ME), (5, 6), &[ME]))),
        []
    );
    assert_eq!(f.replica, before);
}

#[test]
fn a_write_with_acks_1_waits_for_the_leaders_own_sync_only() {
    let mut f = Fixture::leading(0, &[ME, TWO]);
    f.append(10);
    assert!(!f.replica.wait_satisfied(Offset(10), false));
    assert_eq!(f.sync(10), []);
    assert!(f.replica.wait_satisfied(Offset(10), false));
    assert!(!f.replica.wait_satisfied(Offset(10), true));
}

#[test]
fn losing_leadership_satisfies_no_wait() {
    let mut f = Fixture::leading(10, &[ME, TWO]);
    f.has(TWO, 10);
    assert!(f.replica.wait_satisfied(Offset(10), true));
    let commands = f.step(Event::Metadata(membership(Some(TWO), (6, 8), &[ME, TWO])));
    let follow = Command::StartFollowing {
        leader: TWO,
        epoch: LeaderEpoch(6),
    };
    assert_eq!(commands, [follow]);
    assert!(!f.replica.wait_satisfied(Offset(10), true));
    assert!(!f.replica.wait_satisfied(Offset(10), false));
}

#[test]
fn without_a_leader_or_a_place_among_the_replicas_it_is_idle() {
    let mut f = Fixture::leading(0, &[ME]);
    assert_eq!(
        f.step(Event::Metadata(membership(None, (5, 8), &[]))),
        [Command::Idle]
    );
    assert_eq!(f.replica.role(), Role::Idle);
    let mut moved = membership(Some(TWO), (6, 9), &[TWO]);
    moved.replicas = vec![TWO, THREE];
    assert_eq!(f.step(Event::Metadata(moved)), []);
    assert_eq!(f.replica.role(), Role::Idle);
}

#[test]
fn writes_with_acks_all_need_the_minimum_in_sync() {
    for (isr, enough) in [
        (&[ME][..], false),
        (&[ME, TWO], true),
        (&[ME, TWO, THREE], true),
    ] {
        assert_eq!(
            Fixture::leading(0, isr).replica.has_min_isr(),
            enough,
            "{isr:?}"
        );
    }
}
