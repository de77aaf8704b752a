use super::*;
use weir_api::RecordSlice;
use weir_types::LeaderEpoch;

fn ask(index: i32, offset: i64) -> FetchPartition {
    FetchPartition {
        topic: TopicRef::Name("t".into()),
        index,
        leader_epoch: LeaderEpoch::NONE,
        offset: Offset(offset),
        last_fetched_epoch: LeaderEpoch::NONE,
        max_bytes: 1000,
    }
}

fn got(high_watermark: i64, records: &'static [u8]) -> FetchedPartition {
    FetchedPartition {
        error: None,
        high_watermark: Offset(high_watermark),
        last_stable_offset: Offset(high_watermark),
        log_start: Offset(0),
        diverging: None,
        leader: None,
        preferred: None,
        records: RecordSlice::Memory(records.into()),
    }
}

fn key(index: i32) -> Key {
    (TopicRef::Name("t".into()), index)
}

#[test]
fn an_unchanged_partition_is_left_out() {
    let sessions = FetchSessions::new(10, 100);
    let session = sessions
        .create(&[ask(0, 5)], false, Instant::now())
        .expect("room");
    let mut session = lock(&session);
    assert!(session.note(&key(0), &got(5, b"")));
    assert!(!session.note(&key(0), &got(5, b"")));
    let mut elsewhere = got(5, b"");
    elsewhere.preferred = Some(weir_types::BrokerId(2));
    assert!(
        session.note(&key(0), &elsewhere),
        "who is sent away hears of it"
    );
    assert!(session.note(&key(0), &got(6, b"")));
}

#[test]
fn after_an_error_the_partition_is_told_again() {
    let sessions = FetchSessions::new(10, 100);
    let session = sessions
        .create(&[ask(0, 5)], false, Instant::now())
        .expect("room");
    let mut session = lock(&session);
    assert!(session.note(&key(0), &got(5, b"")));
    let mut failed = got(5, b"");
    failed.error = Some(weir_api::Error::OffsetOutOfRange);
    assert!(session.note(&key(0), &failed));
    assert!(session.note(&key(0), &got(5, b"")));
    assert!(!session.note(&key(0), &got(5, b"")));
}

#[test]
fn partitions_that_got_records_go_last() {
    let sessions = FetchSessions::new(10, 100);
    let session = sessions
        .create(&[ask(0, 5), ask(1, 5)], false, Instant::now())
        .expect("room");
    let mut session = lock(&session);
    session.note(&key(0), &got(9, b"records"));
    session.note(&key(1), &got(9, b""));
    let order: Vec<i32> = session.asks().iter().map(|ask| ask.index).collect();
    assert_eq!(order, [1, 0]);
}

#[test]
fn epochs_and_ids_are_checked() {
    let sessions = FetchSessions::new(10, 100);
    let now = Instant::now();
    let id = lock(&sessions.create(&[ask(0, 5)], false, now).expect("room")).id();
    let resume = |id, epoch, by_id| sessions.resume((id, epoch), by_id, vec![], &[], now).err();
    assert_eq!(
        resume(id, 2, false),
        Some(ErrorCode::INVALID_FETCH_SESSION_EPOCH)
    );
    assert_eq!(
        resume(id, 1, true),
        Some(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR)
    );
    assert_eq!(resume(id, 1, false), None);
    assert_eq!(
        resume(id, 1, false),
        Some(ErrorCode::INVALID_FETCH_SESSION_EPOCH)
    );
    assert_eq!(resume(id, 2, false), None);
    sessions.remove(id);
    assert_eq!(
        resume(id, 3, false),
        Some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)
    );
}

#[test]
fn forgotten_partitions_leave_and_new_ones_join() {
    let sessions = FetchSessions::new(10, 100);
    let now = Instant::now();
    let id = lock(
        &sessions
            .create(&[ask(0, 5), ask(1, 5)], false, now)
            .expect("room"),
    )
    .id();
    let session = sessions
        .resume((id, 1), false, vec![ask(1, 8), ask(2, 0)], &[key(0)], now)
        .expect("a good request");
    let asks: Vec<(i32, i64)> = lock(&session)
        .asks()
        .iter()
        .map(|ask| (ask.index, ask.offset.0))
        .collect();
    assert_eq!(asks, [(1, 8), (2, 0)]);
}

#[test]
fn a_full_cache_evicts_only_what_is_stale() {
    let sessions = FetchSessions::new(1, 100);
    let start = Instant::now();
    assert!(sessions.create(&[ask(0, 5)], false, start).is_some());
    assert!(
        sessions
            .create(&[ask(0, 5)], false, start + KEPT / 2)
            .is_none()
    );
    assert!(sessions.create(&[ask(0, 5)], false, start + KEPT).is_some());
    assert_eq!(sessions.len(), 1);
}

#[test]
fn partitions_over_all_sessions_are_bounded() {
    let sessions = FetchSessions::new(10, 3);
    let now = Instant::now();
    let first = sessions
        .create(&[ask(0, 5), ask(1, 5)], false, now)
        .expect("room");
    assert!(
        sessions
            .create(&[ask(0, 5), ask(1, 5)], false, now)
            .is_none()
    );
    let id = lock(&first).id();
    let more = sessions.resume((id, 1), false, vec![ask(2, 0), ask(3, 0)], &[], now);
    assert_eq!(more.err(), Some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!(sessions.len(), 0);
}
