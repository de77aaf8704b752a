use super::*;

fn answered(epoch: i32, high_watermark: i64) -> Event {
    Event::LeaderAnswered {
        epoch: LeaderEpoch(epoch),
        high_watermark: Offset(high_watermark),
        log_start: Offset(0),
    }
}

#[test]
fn its_high_watermark_is_the_leaders_bounded_by_its_own_end() {
    let mut f = Fixture::following(0);
    f.append(10);
    assert_eq!(f.step(answered(5, 30)), [hw(10)]);
    assert_eq!(f.append(40), [hw(30)]);
    assert_eq!(f.step(answered(5, 35)), [hw(35)]);
    assert!(!f.replica.hw_is_served());
}

#[test]
fn answers_of_another_epoch_are_ignored() {
    let mut f = Fixture::following(50);
    assert_eq!(f.step(answered(4, 30)), []);
    assert_eq!(f.hw(), 0);
}

#[test]
fn diverging_logs_are_cut() {
    let mut f = Fixture::following(50);
    let cut_to = Offset(20);
    let commands = f.step(Event::Diverged {
        leader_epoch: LeaderEpoch(5),
        cut_to,
    });
    assert_eq!(commands, [Command::Truncate { to: cut_to }]);
    assert_eq!(f.step(Event::Truncated { end: cut_to }), []);
    assert_eq!(f.replica.log(), log(20));
    let beyond = Event::Diverged {
        leader_epoch: LeaderEpoch(5),
        cut_to: Offset(30),
    };
    let only_epochs = Command::Truncate { to: cut_to };
    assert_eq!(f.step(beyond), [only_epochs], "bounded by our end");
    let old = Event::Diverged {
        leader_epoch: LeaderEpoch(4),
        cut_to: Offset(1),
    };
    assert_eq!(f.step(old), [], "an answer of an earlier epoch");
}

#[test]
fn a_log_emptied_to_start_higher_is_durable() {
    let mut f = Fixture::following(50);
    f.step(Event::Truncated { end: Offset(500) });
    assert_eq!(f.replica.log().durable_end, Offset(500));
    assert_eq!(f.step(answered(5, 600)), [hw(500)]);
}

#[test]
fn a_new_epoch_of_the_same_leader_starts_following_anew() {
    let mut f = Fixture::following(50);
    let commands = f.step(Event::Metadata(membership(Some(TWO), (6, 8), &[TWO])));
    let follow = Command::StartFollowing {
        leader: TWO,
        epoch: LeaderEpoch(6),
    };
    assert_eq!(commands, [follow]);
    let same = Event::Metadata(membership(Some(TWO), (6, 9), &[TWO, ME]));
    assert_eq!(f.step(same), []);
    assert_eq!(f.replica.isr(), [TWO, ME]);
}

#[test]
fn leader_events_mean_nothing_to_a_follower() {
    let mut f = Fixture::following(50);
    assert_eq!(f.has(THREE, 50), []);
    assert_eq!(f.step(Event::Tick), []);
    assert_eq!(f.step(committed(9, &[ME])), []);
    assert_eq!(f.replica.isr(), [TWO]);
}

#[test]
fn its_high_watermark_survives_its_election() {
    let mut f = Fixture::following(50);
    f.step(answered(5, 40));
    f.step(Event::Metadata(membership(Some(ME), (6, 8), &[ME, TWO])));
    assert_eq!(f.hw(), 40);
    assert!(
        !f.replica.hw_is_served(),
        "50, the epoch's start, is not committed yet"
    );
}
