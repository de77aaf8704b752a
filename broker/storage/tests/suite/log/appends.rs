//! What is appended, and what is read back.

use crate::support::*;
use weir_storage::{
    AppendError, FaultyDisk, LogConfig, ReadError, Recovery, StorageError, TimestampType,
    for_each_batch,
};
use weir_types::{LeaderEpoch, Millis, Offset};

#[test]
fn appended_records_are_read_back_with_offsets_and_epoch() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    assert_eq!(node.recovery, Recovery::Created);
    for at in 0..50 {
        assert_eq!(node.append(&batch(&format!("b{at}"), 3)), Offset(at * 3));
    }
    let records = read_all(&node.log.reader());
    assert_eq!(records.len(), 150);
    for (at, record) in records.iter().enumerate() {
        assert_eq!(record.offset, at as i64);
        let value = format!("b{}-{}", at / 3, at % 3);
        assert_eq!(record.value.as_deref(), Some(value.as_bytes()));
    }
    assert_eq!(node.log.latest_epoch(), EPOCH);
    assert!(node.folder.partitions().expect("readable") == [partition()]);
}

#[test]
fn every_offset_can_be_asked_for_with_every_bound() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    for at in 0..30 {
        node.append(&batch(&format!("b{at}"), 1 + at % 4));
    }
    let (reader, end) = (node.log.reader(), node.log.end());
    for from in 0..end.0 {
        for below in from..=end.0 {
            for max_bytes in [0, 100, 400, 5000] {
                let bytes = reader
                    .read_bytes(Offset(from), Offset(below), max_bytes, true)
                    .expect("within the log");
                let slice = reader
                    .read(Offset(from), Offset(below), max_bytes, true)
                    .expect("within the log");
                let mut next = from;
                let mut first = true;
                for_each_batch(&bytes, |batch| {
                    if first {
                        assert!(batch.header.base_offset <= from);
                        first = false;
                    } else {
                        assert_eq!(batch.header.base_offset, next);
                    }
                    next = batch.header.next_offset();
                    Ok(())
                })
                .expect("whole batches");
                assert!(next <= below, "{from}..{below}");
                assert_eq!(slice.next, Offset(next), "{from}..{below} {max_bytes}");
            }
        }
    }
    let past = reader.read(end.plus(1), end.plus(1), 1, true);
    assert!(matches!(past, Err(ReadError::OffsetOutOfRange { .. })));
    assert_eq!(
        reader.read(end, end, 1, true).expect("the end itself").len,
        0
    );
    assert_eq!(
        reader
            .read(Offset(0), end, 10, false)
            .expect("too small")
            .len,
        0
    );
}

#[test]
fn log_append_time_rewrites_timestamp_and_crc() {
    let disk = FaultyDisk::new(1);
    let config = LogConfig {
        timestamp_type: TimestampType::LogAppendTime,
        ..LogConfig::default()
    };
    let mut node = start(&disk, &config);
    let later = Millis(NOW.0 + 5);
    let appended = node
        .log
        .append_as_leader(&batch("a", 2), EPOCH, later)
        .expect("it is sound");
    assert_eq!(appended.append_time_ms, later.0);
    assert!(
        read_all(&node.log.reader())
            .iter()
            .all(|record| record.timestamp == later.0)
    );
}

#[test]
fn followers_copy_batches_verbatim_and_refuse_what_does_not_fit() {
    let (leader_disk, follower_disk) = (FaultyDisk::new(1), FaultyDisk::new(2));
    let mut leader = start(&leader_disk, &small_segments());
    let mut follower = start(&follower_disk, &small_segments());
    leader.append(&batch("a", 2));
    leader
        .log
        .append_as_leader(&batch("b", 2), LeaderEpoch(4), NOW)
        .expect("sound");
    let bytes = leader
        .log
        .reader()
        .read_bytes(Offset(0), leader.log.end(), 1 << 20, true)
        .expect("within the log");
    let mut cut = bytes.to_vec();
    cut.extend_from_slice(&bytes[..30]);
    let done = follower
        .log
        .append_as_follower(&cut)
        .expect("a part at the end is left out");
    assert_eq!(done.end, Offset(4));
    assert_eq!(values(&follower.log.reader()), values(&leader.log.reader()));
    assert_eq!(follower.log.latest_epoch(), LeaderEpoch(4));
    assert_eq!(
        follower.log.epoch_end(LeaderEpoch(3)),
        Some((EPOCH, Offset(2)))
    );
    let again = follower.log.append_as_follower(&bytes);
    assert!(matches!(again, Err(AppendError::OffsetGap { .. })));
    leader.append_more_epoch4();
    let more = leader
        .log
        .reader()
        .read_bytes(Offset(4), leader.log.end(), 1 << 20, true)
        .expect("within the log");
    let mut bent = more.to_vec();
    bent[70] ^= 1;
    let refused = follower.log.append_as_follower(&bent);
    assert!(matches!(refused, Err(AppendError::Corrupt(_))));
    assert_eq!(follower.log.end(), Offset(4));
}

impl Node {
    fn append_more_epoch4(&mut self) {
        self.log
            .append_as_leader(&batch("c", 2), LeaderEpoch(4), NOW)
            .expect("sound");
    }
}

#[test]
fn a_full_disk_refuses_writes_keeps_reading_and_resumes() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &LogConfig::default());
    node.append(&batch("a", 2));
    node.sync();
    disk.set_free_bytes(Some(40));
    for _ in 0..2 {
        let refused = node.log.append_as_leader(&batch("b", 2), EPOCH, NOW);
        assert!(matches!(
            refused,
            Err(AppendError::Storage(StorageError::Full { .. }))
        ));
        assert_eq!(values(&node.log.reader()), ["a-0", "a-1"]);
    }
    disk.set_free_bytes(Some(100_000));
    assert_eq!(node.append(&batch("c", 1)), Offset(2));
    node.sync();
    drop(node);
    disk.power_loss();
    let node = start(&disk, &LogConfig::default());
    assert_eq!(values(&node.log.reader()), ["a-0", "a-1", "c-0"]);
}

#[test]
fn a_full_disk_at_a_roll_changes_nothing() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    while node.log.size_bytes() < 900 {
        node.append(&batch("a", 1));
    }
    let end = node.log.end();
    disk.set_free_bytes(Some(0));
    let refused = node.log.append_as_leader(&batch("b", 9), EPOCH, NOW);
    assert!(matches!(
        refused,
        Err(AppendError::Storage(StorageError::Full { .. }))
    ));
    assert_eq!(node.log.end(), end);
    disk.set_free_bytes(None);
    assert_eq!(node.append(&batch("c", 9)), end);
    assert_eq!(read_all(&node.log.reader()).len() as i64, end.0 + 9);
}

#[test]
fn a_follower_may_begin_within_a_batch() {
    let (leader_disk, follower_disk) = (FaultyDisk::new(1), FaultyDisk::new(2));
    let mut leader = start(&leader_disk, &small_segments());
    leader.append(&batch("a", 5));
    leader.append(&batch("b", 5));
    leader.sync();
    leader.log.advance_start(Offset(3)).expect("nothing fails");
    let mut follower = start(&follower_disk, &small_segments());
    follower.log.reset(Offset(3)).expect("nothing fails");
    let bytes = leader
        .log
        .reader()
        .read_bytes(Offset(3), leader.log.end(), 9999, true)
        .expect("in the log");
    follower
        .log
        .append_as_follower(&bytes)
        .expect("the batch holds the start");
    follower.sync();
    for _ in 0..2 {
        assert_eq!(
            (follower.log.start(), follower.log.end()),
            (Offset(3), Offset(10))
        );
        assert_eq!(values(&follower.log.reader()), values(&leader.log.reader()));
        drop(follower);
        follower_disk.power_loss();
        follower = start(&follower_disk, &small_segments());
    }
}
