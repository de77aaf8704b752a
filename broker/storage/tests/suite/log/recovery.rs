//! What a log is after failures, stops and cuts.

use crate::support::*;
use weir_storage::{AppendError, FaultyDisk, LogConfig, ReadError, Recovery, StorageError};
use weir_types::{LeaderEpoch, Offset};

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
