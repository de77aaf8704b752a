//! A folder whose sync failed: the next one proves nothing, so whoever relied on it stops and
//! says why.

use crate::support::*;
use std::path::Path;
use weir_storage::{AppendError, DataFolder, FaultyDisk, LogConfig, Recovery, StorageError};
use weir_types::{BrokerId, FolderId, LeaderEpoch, Offset};

fn try_folder(disk: &FaultyDisk) -> Result<DataFolder<FaultyDisk>, StorageError> {
    let id = || FolderId(uuid::Uuid::from_u128(7));
    DataFolder::open_with_id(disk.clone(), Path::new("/data"), BrokerId(1), id)
}

/// A log with some synced segments and nothing else to sync.
fn settled(disk: &FaultyDisk) -> Node {
    let mut node = start(disk, &small_segments());
    for at in 0..30 {
        node.log
            .append_as_leader(&batch("a", 2), LeaderEpoch(1 + at / 3), NOW)
            .expect("sound");
        node.sync();
    }
    node
}

/// Writes nothing any more, and names the sync that failed.
fn is_poisoned(node: &mut Node) {
    let refused = node
        .log
        .append_as_leader(&batch("z", 1), LeaderEpoch(50), NOW);
    assert!(
        matches!(
            refused,
            Err(AppendError::Storage(StorageError::Poisoned { .. }))
        ),
        "{refused:?}"
    );
    let why = node.log.failure().expect("it says why").to_string();
    assert!(why.contains("simulated failure of a sync"), "{why}");
    assert!(why.contains("/data/partitions"), "{why}");
    assert!(node.log.begin_sync().is_none(), "nothing more is claimed");
}

fn survives(disk: &FaultyDisk, durable: Offset) {
    disk.power_loss();
    let node = start(disk, &small_segments());
    assert!(
        !matches!(node.recovery, Recovery::Damaged { .. }),
        "{:?}",
        node.recovery
    );
    assert!(node.log.end() >= durable, "{:?} {durable}", node.log.end());
}

#[test]
fn a_sync_cycle_whose_folder_fails_makes_nothing_durable() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &LogConfig::default());
    node.append(&batch("a", 2));
    let job = node.log.begin_sync().expect("something is dirty");
    disk.fail_next_dir_sync();
    let failed = node.log.finish_sync(job.run());
    assert!(matches!(failed, Err(StorageError::Poisoned { .. })));
    assert_eq!(node.log.durable_end(), Offset(0));
    is_poisoned(&mut node);
}

/// The new segment's name was among what the failed sync lost.
#[test]
fn a_producer_snapshot_whose_folder_fails_ends_the_log_at_its_roll() {
    for seed in 0..20 {
        let disk = FaultyDisk::new(seed);
        let mut node = settled(&disk);
        disk.fail_next_dir_sync();
        let refused = (0..100).find_map(|_| {
            let appended = node
                .log
                .append_as_leader(&batch("b", 2), LeaderEpoch(20), NOW);
            if appended.is_ok() {
                node.sync();
            }
            appended.err()
        });
        assert!(
            matches!(
                refused,
                Some(AppendError::Storage(StorageError::Poisoned { .. }))
            ),
            "{refused:?}"
        );
        is_poisoned(&mut node);
        let durable = node.log.durable_end();
        drop(node);
        survives(&disk, durable);
    }
}

#[test]
fn a_start_that_is_not_durable_ends_the_log() {
    let disk = FaultyDisk::new(1);
    let mut node = settled(&disk);
    disk.fail_next_dir_sync();
    node.log.advance_start(Offset(33)).expect_err("it fails");
    is_poisoned(&mut node);
    let durable = node.log.durable_end();
    drop(node);
    survives(&disk, durable);
}

#[test]
fn a_checkpoint_of_epochs_that_is_not_durable_ends_the_log() {
    let disk = FaultyDisk::new(1);
    let mut node = settled(&disk);
    node.log
        .start_epoch(LeaderEpoch(40), Offset(60))
        .expect("sound");
    node.sync();
    disk.fail_next_dir_sync();
    node.log.truncate(Offset(31)).expect_err("it fails");
    is_poisoned(&mut node);
    drop(node);
    survives(&disk, Offset(30));
}

#[test]
fn an_epoch_without_records_is_cut_without_a_sync() {
    let disk = FaultyDisk::new(1);
    let mut node = settled(&disk);
    let before = node.log.latest_epoch();
    node.log
        .start_epoch(LeaderEpoch(40), Offset(60))
        .expect("sound");
    node.sync();
    disk.fail_next_syncs(100);
    node.log.truncate(Offset(60)).expect("no sync");
    assert_eq!(node.log.latest_epoch(), before);
    drop(node);
    disk.fail_next_syncs(0);
    survives(&disk, Offset(59));
}

#[test]
fn a_compacted_segment_that_is_not_durable_ends_the_log() {
    let disk = FaultyDisk::new(1);
    let config = LogConfig {
        compact: true,
        ..small_segments()
    };
    let mut node = start(&disk, &config);
    for at in 0..60 {
        node.append(&keyed("k", Some(&format!("v{at}")), NOW.0));
        node.sync();
    }
    disk.fail_next_dir_sync();
    let end = node.log.end();
    node.log.compact(NOW, end).expect_err("it fails");
    is_poisoned(&mut node);
    drop(node);
    disk.power_loss();
    let node = start(&disk, &config);
    assert_eq!(node.log.end(), end);
    assert_eq!(
        values(&node.log.reader()).last().map(String::as_str),
        Some("v59")
    );
}

#[test]
fn a_reset_that_is_not_durable_ends_the_log() {
    let disk = FaultyDisk::new(1);
    let mut node = settled(&disk);
    disk.fail_next_dir_sync();
    node.log.reset(Offset(100)).expect_err("it fails");
    is_poisoned(&mut node);
}

#[test]
fn marks_that_are_not_durable_are_told() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &LogConfig::default());
    node.append(&batch("a", 1));
    node.sync();
    disk.fail_next_dir_sync();
    let failed = (0..20_000).find_map(|_| {
        node.append(&batch("a", 1));
        sync(&mut node.log);
        let mark = (partition(), node.log.durable_end());
        node.folder.record_marks(&[mark]).err()
    });
    let why = failed.expect("the file was written anew").to_string();
    assert!(why.starts_with("replace /data/marks"), "{why}");
    let durable = node.log.durable_end();
    drop(node);
    disk.power_loss();
    let node = start(&disk, &LogConfig::default());
    assert_eq!(node.log.end(), durable, "{:?}", node.recovery);
}

#[test]
fn a_folder_that_cannot_note_who_it_is_does_not_open() {
    let disk = FaultyDisk::new(1);
    disk.fail_next_dir_sync();
    let why = try_folder(&disk).expect_err("it fails").to_string();
    assert!(why.starts_with("replace /data/meta"), "{why}");
    disk.power_loss();
    let folder = try_folder(&disk).expect("another process tries again");
    disk.fail_next_dir_sync();
    let why = folder
        .set_cluster_id("c")
        .expect_err("it fails")
        .to_string();
    assert!(why.starts_with("replace /data/meta"), "{why}");
    assert_eq!(folder.cluster_id(), None);
}

#[test]
fn a_stop_is_orderly_only_with_a_durable_marker() {
    let disk = FaultyDisk::new(1);
    let mut node = settled(&disk);
    node.log.close().expect("nothing fails");
    disk.fail_next_dir_sync();
    let why = node.folder.mark_clean().expect_err("it fails").to_string();
    assert!(why.starts_with("replace /data/clean"), "{why}");
    drop(node);
    disk.power_loss();
    assert!(!start(&disk, &small_segments()).folder.was_clean());
}

#[test]
fn a_deleted_partition_whose_name_may_come_back_is_told() {
    let disk = FaultyDisk::new(1);
    let node = settled(&disk);
    drop(node.log);
    disk.fail_next_dir_sync();
    let why = node.folder.delete_log(partition()).expect_err("it fails");
    assert!(
        why.to_string().starts_with("delete /data/partitions/"),
        "{why}"
    );
}
