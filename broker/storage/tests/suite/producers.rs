//! Idempotent producers over appends, restarts and power losses.

use crate::support::*;
use bytes::Bytes;
use weir_storage::{AppendError, BatchBuilder, FaultyDisk, LogConfig};
use weir_types::{Millis, Offset};

#[test]
fn producers_survive_restarts_with_and_without_snapshots() {
    for (orderly, drop_snapshots) in [(true, false), (false, false), (false, true), (true, true)] {
        let disk = FaultyDisk::new(1);
        let mut node = start(&disk, &small_segments());
        for sequence in 0..40 {
            let done = node.append(&producer_batch(9, sequence, "v"));
            assert_eq!(done, Offset(i64::from(sequence)));
        }
        node.sync();
        if orderly {
            node.stop();
        } else {
            drop(node);
        }
        disk.power_loss();
        if drop_snapshots {
            remove_snapshots(&disk);
        }
        let mut node = start(&disk, &small_segments());
        for sequence in 20..40 {
            let done = node
                .log
                .append_as_leader(&producer_batch(9, sequence, "v"), EPOCH, NOW)
                .expect("sound");
            assert!(done.duplicate && done.base_offset == Offset(i64::from(sequence)));
        }
        let skipped = node
            .log
            .append_as_leader(&producer_batch(9, 41, "v"), EPOCH, NOW);
        assert!(matches!(
            skipped,
            Err(AppendError::OutOfOrderSequence { expected: 40, .. })
        ));
        assert_eq!(node.append(&producer_batch(9, 40, "v")), Offset(40));
    }
}

fn remove_snapshots(disk: &FaultyDisk) {
    use weir_storage::Disk as _;
    let dir = format!("/data/partitions/{}", partition());
    for name in disk.list(dir.as_ref()).expect("a folder") {
        if name.ends_with(".snapshot") {
            disk.remove(format!("{dir}/{name}").as_ref())
                .expect("is there");
        }
    }
}

/// A producer has five batches in flight to each broker. The old leader sent all of them on before
/// it lost its role, and refuses them after the next leaders have taken five more each.
#[test]
fn what_an_old_leader_refuses_late_is_known_to_be_there() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    for sequence in 0..15 {
        node.append(&producer_batch(9, sequence, "v"));
    }
    for sequence in 0..5 {
        let again = node
            .log
            .append_as_leader(&producer_batch(9, sequence, "v"), EPOCH, NOW)
            .expect("it was written already");
        assert!(again.duplicate && again.base_offset == Offset(i64::from(sequence)));
    }
    assert_eq!(node.append(&producer_batch(9, 15, "v")), Offset(15));
}

#[test]
fn producer_epochs_fence_and_sequences_wrap() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &small_segments());
    let make = |epoch: i16, sequence: i32, count: usize| {
        let mut builder = BatchBuilder::new().producer(1, epoch, sequence);
        for _ in 0..count {
            builder.push(NOW.0, None, Some(b"v"));
        }
        builder.build()
    };
    // A producer that is not known may begin anywhere.
    node.append(&make(3, i32::MAX - 1, 3));
    node.append(&make(3, 1, 1));
    let mut append = |records: &Bytes| node.log.append_as_leader(records, EPOCH, NOW);
    assert!(matches!(
        append(&make(2, 2, 1)),
        Err(AppendError::InvalidProducerEpoch {
            current: 3,
            found: 2,
            ..
        })
    ));
    assert!(matches!(
        append(&make(4, 2, 1)),
        Err(AppendError::OutOfOrderSequence { .. })
    ));
    assert!(append(&make(4, 0, 1)).is_ok());
    assert!(append(&make(3, 2, 1)).is_err());
    let two = [make(4, 1, 1), make(4, 2, 1)].concat().into();
    assert!(matches!(append(&two), Err(AppendError::Invalid(_))));
}

#[test]
fn idle_producers_are_forgotten() {
    let disk = FaultyDisk::new(1);
    let mut node = start(
        &disk,
        &LogConfig {
            retention_ms: None,
            ..small_segments()
        },
    );
    node.append(&producer_batch(9, 0, "v"));
    let later = Millis(NOW.0 + 24 * 3600 * 1000);
    node.log.retain(later, Offset(0)).expect("nothing fails");
    assert_eq!(node.append(&producer_batch(9, 77, "v")), Offset(1));
}

/// A snapshot is durable at once, the records below it are not: after a power loss it may tell
/// of records that are no more, and must not be believed once the log has grown past it.
#[test]
fn a_snapshot_of_lost_records_is_never_believed() {
    let mut lost_some = 0;
    for seed in 0..60 {
        let disk = FaultyDisk::new(seed);
        let mut node = start(&disk, &small_segments());
        for sequence in 0..30 {
            node.append(&producer_batch(9, sequence, &format!("p{sequence}")));
        }
        drop(node);
        disk.power_loss();
        let mut node = start(&disk, &small_segments());
        lost_some += u32::from(node.log.end() < Offset(30));
        // Longer records, so that segments end elsewhere than before.
        while node.log.end() < Offset(31) {
            node.append(&batch(&"other".repeat(15), 1));
            node.sync();
        }
        drop(node);
        disk.power_loss();
        let mut node = start(&disk, &small_segments());
        let there = values(&node.log.reader());
        for sequence in 0..30 {
            let value = format!("p{sequence}");
            let records = producer_batch(9, sequence, &value);
            if let Ok(done) = node.log.append_as_leader(&records, EPOCH, NOW)
                && done.duplicate
            {
                assert_eq!(there[done.base_offset.0 as usize], value, "seed {seed}");
            }
        }
    }
    assert!(
        lost_some > 10,
        "the power losses lost something: {lost_some}"
    );
}
