//! What goes from the front of a log, and a log that goes as a whole.

use crate::support::*;
use weir_storage::{FaultyDisk, LogConfig, ReadError, Recovery};
use weir_types::{LeaderEpoch, Millis, Offset};

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

/// A leader that knows none of its epochs sends it to the start again and again otherwise.
#[test]
fn a_log_whose_records_were_all_deleted_forgets_their_epochs_when_it_is_reset() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &LogConfig::default());
    node.append(&batch("a", 4));
    node.sync();
    node.log.advance_start(Offset(4)).expect("nothing fails");
    assert_eq!((node.log.start(), node.log.end()), (Offset(4), Offset(4)));
    node.log.reset(Offset(4)).expect("nothing fails");
    assert_eq!(node.log.latest_epoch(), LeaderEpoch::NONE);
}
