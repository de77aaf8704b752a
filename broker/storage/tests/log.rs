//! The log as its writer and readers see it.

mod support;

use support::*;
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
fn a_failed_sync_poisons_the_log_for_ever() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &LogConfig::default());
    node.append(&batch("a", 1));
    node.sync();
    node.append(&batch("b", 1));
    let job = node.log.begin_sync().expect("something is dirty");
    assert!(node.log.begin_sync().is_none(), "one at a time");
    disk.fail_next_sync();
    let failed = node.log.finish_sync(job.run());
    assert!(matches!(failed, Err(StorageError::Poisoned { .. })));
    assert!(node.log.begin_sync().is_none());
    let refused = node.log.append_as_leader(&batch("c", 1), EPOCH, NOW);
    assert!(matches!(
        refused,
        Err(AppendError::Storage(StorageError::Poisoned { .. }))
    ));
    assert!(node.log.truncate(Offset(0)).is_err());
    assert_eq!(node.log.durable_end(), Offset(1));
    assert!(
        node.log
            .failure()
            .expect("it says why")
            .to_string()
            .contains("sync of")
    );
}

#[test]
fn a_torn_tail_is_cut_but_damage_below_the_mark_is_refused() {
    for clean_index in [false, true] {
        let disk = FaultyDisk::new(1);
        let mut node = start(&disk, &LogConfig::default());
        node.append(&batch("a", 1));
        node.sync();
        let durable = node.log.size_bytes();
        node.append(&batch("b", 1));
        if !clean_index {
            node.append(&batch("c", 1));
        }
        drop(node);
        disk.kill();
        // Above the mark: cut.
        disk.flip_bit(log_file(0).as_ref(), durable + 65, 3)
            .expect("the file is there");
        let mut node = start(&disk, &LogConfig::default());
        assert!(matches!(
            node.recovery,
            Recovery::Recovered { end: Offset(1), .. }
        ));
        assert_eq!(values(&node.log.reader()), ["a-0"]);
        node.append(&batch("d", 1));
        node.sync();
        drop(node);
        disk.kill();
        // Below it: damage.
        disk.flip_bit(log_file(0).as_ref(), 65, 3)
            .expect("the file is there");
        let mut node = start(&disk, &LogConfig::default());
        assert!(
            matches!(node.recovery, Recovery::Damaged { .. }),
            "{:?}",
            node.recovery
        );
        let refused = node.log.append_as_leader(&batch("e", 1), EPOCH, NOW);
        assert!(matches!(
            refused,
            Err(AppendError::Storage(StorageError::Damaged { .. }))
        ));
        let unread = node.log.reader().read(Offset(0), Offset(1), 100, true);
        assert!(matches!(
            unread,
            Err(ReadError::Storage(StorageError::Damaged { .. }))
        ));
        node.log.reset(Offset(7)).expect("it heals");
        assert_eq!(node.append(&batch("f", 1)), Offset(7));
        node.sync();
        drop(node);
        disk.power_loss();
        let node = start(&disk, &LogConfig::default());
        assert_eq!((node.log.start(), node.log.end()), (Offset(7), Offset(8)));
        assert_eq!(values(&node.log.reader()), ["f-0"]);
    }
}

#[test]
fn a_file_that_lost_its_durable_end_is_damage() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    for _ in 0..30 {
        node.append(&batch("a", 1));
        node.sync();
    }
    drop(node);
    disk.kill();
    use weir_storage::Disk as _;
    let dir = format!("/data/partitions/{}", partition());
    let logs: Vec<_> = disk.list(dir.as_ref()).expect("a folder");
    let logs: Vec<_> = logs.iter().filter(|name| name.ends_with(".log")).collect();
    assert!(logs.len() > 2);
    disk.remove(format!("{dir}/{}", logs[1]).as_ref())
        .expect("is there");
    let node = start(&disk, &small_segments());
    assert!(matches!(node.recovery, Recovery::Damaged { .. }));
}

#[test]
fn an_orderly_stop_is_quick_to_start_from_and_keeps_everything() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    for at in 0..40 {
        node.append(&batch(&format!("b{at}"), 2));
    }
    let before = values(&node.log.reader());
    node.stop();
    disk.power_loss();
    let mut node = start(&disk, &small_segments());
    assert!(node.folder.was_clean());
    assert_eq!(node.recovery, Recovery::Clean { end: Offset(80) });
    assert_eq!(values(&node.log.reader()), before);
    node.append(&batch("more", 1));
    node.log.rest();
    assert_eq!(read_all(&node.log.reader()).len(), 81);
    drop(node);
    assert!(!folder(&disk).was_clean());
}

#[test]
fn truncation_forgets_records_epochs_and_producers_for_good() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    for epoch in 1..=20 {
        let records = producer_batch(5, epoch - 1, "x");
        node.log
            .append_as_leader(&records, LeaderEpoch(epoch), NOW)
            .expect("sound");
        node.log
            .append_as_leader(&batch("y", 2), LeaderEpoch(epoch), NOW)
            .expect("sound");
    }
    node.sync();
    assert_eq!(node.log.end(), Offset(60));
    // Within a batch: the whole batch goes.
    node.log.truncate(Offset(32)).expect("nothing fails");
    assert_eq!(node.log.end(), Offset(31));
    assert_eq!(node.log.durable_end(), Offset(31));
    assert_eq!(node.log.latest_epoch(), LeaderEpoch(11));
    drop(node);
    disk.power_loss();
    let mut node = start(&disk, &small_segments());
    assert_eq!(node.log.end(), Offset(31), "{:?}", node.recovery);
    assert_eq!(node.log.latest_epoch(), LeaderEpoch(11));
    // Sequence 10 is in the log (a duplicate), 11 was cut and comes again.
    let again = node
        .log
        .append_as_leader(&producer_batch(5, 10, "x"), LeaderEpoch(30), NOW);
    assert!(again.expect("sound").duplicate);
    let next = node
        .log
        .append_as_leader(&producer_batch(5, 11, "x"), LeaderEpoch(30), NOW);
    assert!(!next.expect("sound").duplicate);
}

#[test]
fn retention_removes_old_segments_below_the_high_watermark() {
    let disk = FaultyDisk::new(1);
    let config = LogConfig {
        retention_ms: Some(1000),
        ..small_segments()
    };
    let mut node = start(&disk, &config);
    for _ in 0..40 {
        node.append(&batch("a", 2));
    }
    node.sync();
    let later = Millis(NOW.0 + 1001);
    let held = node.log.retain(later, Offset(30)).expect("nothing fails");
    assert!(
        held.start.0 > 0 && held.start.0 <= 30 && held.segments > 0,
        "{held:?}"
    );
    let kept = values(&node.log.reader()).len() as i64;
    assert_eq!(kept, 80 - held.start.0);
    let all = node
        .log
        .retain(later, node.log.end())
        .expect("nothing fails");
    assert_eq!(all.start, Offset(80));
    assert_eq!(node.log.end(), Offset(80));
    drop(node);
    disk.power_loss();
    let mut node = start(&disk, &config);
    assert_eq!((node.log.start(), node.log.end()), (Offset(80), Offset(80)));
    assert_eq!(node.append(&batch("b", 1)), Offset(80));
}

#[test]
fn retention_by_size_keeps_at_least_that_much() {
    let disk = FaultyDisk::new(1);
    let config = LogConfig {
        retention_ms: None,
        retention_bytes: Some(2500),
        ..small_segments()
    };
    let mut node = start(&disk, &config);
    for _ in 0..60 {
        node.append(&batch("a", 2));
    }
    let before = node.log.size_bytes();
    let done = node.log.retain(NOW, node.log.end()).expect("nothing fails");
    assert_eq!(node.log.size_bytes(), before - done.bytes);
    assert!(
        (2500..3600).contains(&node.log.size_bytes()),
        "{}",
        node.log.size_bytes()
    );
}

#[test]
fn deleted_records_stay_deleted() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    for _ in 0..30 {
        node.append(&batch("a", 2));
    }
    node.sync();
    node.log.advance_start(Offset(33)).expect("nothing fails");
    assert!(node.log.advance_start(Offset(61)).is_err());
    let gone = node.log.reader().read(Offset(32), Offset(60), 100, true);
    assert!(matches!(gone, Err(ReadError::OffsetOutOfRange { .. })));
    drop(node);
    disk.power_loss();
    let node = start(&disk, &small_segments());
    assert_eq!((node.log.start(), node.log.end()), (Offset(33), Offset(60)));
    assert_eq!(read_all(&node.log.reader()).len(), 27);
}

#[test]
fn a_deleted_log_is_gone_and_its_name_free() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    node.append(&batch("a", 2));
    node.sync();
    let Node { folder, log, .. } = node;
    drop(log);
    folder.delete_log(partition()).expect("nothing fails");
    folder.delete_log(partition()).expect("again is fine");
    assert!(folder.partitions().expect("readable").is_empty());
    drop(folder);
    disk.power_loss();
    let node = start(&disk, &small_segments());
    assert_eq!(node.recovery, Recovery::Created);
    assert_eq!(node.log.end(), Offset(0));
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
