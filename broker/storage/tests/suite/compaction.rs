//! Compaction and look-ups by time, each against a naive model.

use crate::support::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use weir_storage::{BatchBuilder, FaultyDisk, LogConfig, Record};
use weir_types::{Millis, Offset};

fn compacted() -> LogConfig {
    LogConfig {
        compact: true,
        delete: false,
        min_cleanable_percent: 0,
        ..small_segments()
    }
}

fn latest(records: &[Record]) -> BTreeMap<Vec<u8>, (i64, Option<Vec<u8>>)> {
    let mut map = BTreeMap::new();
    for record in records {
        let key = record.key.clone().expect("keys are required").to_vec();
        map.insert(
            key,
            (
                record.offset,
                record.value.as_ref().map(|value| value.to_vec()),
            ),
        );
    }
    map
}

#[test]
fn records_without_keys_are_refused() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &compacted());
    let mut builder = BatchBuilder::new();
    builder.push(NOW.0, None, Some(b"v"));
    assert!(
        node.log
            .append_as_leader(&builder.build(), EPOCH, NOW)
            .is_err()
    );
}

#[test]
fn tombstones_go_after_their_time_and_the_deleted_value_never_returns() {
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed);
        let mut node = start(&disk, &compacted());
        for round in 0..12 {
            node.append(&keyed("gone", Some(&format!("v{round}")), NOW.0));
            node.append(&keyed("kept", Some(&format!("v{round}")), NOW.0));
        }
        node.append(&keyed("gone", None, NOW.0));
        for at in 0..20 {
            node.append(&keyed(&format!("fill{at}"), Some("x"), NOW.0));
        }
        node.sync();
        let end = node.log.end();
        node.log.compact(NOW, end).expect("nothing fails");
        let map = latest(&read_all(&node.log.reader()));
        assert_eq!(map[&b"gone"[..]].1, None, "the tombstone is still there");
        node.append(&keyed("another", Some("x"), NOW.0));
        for at in 0..20 {
            node.append(&keyed(&format!("fill{at}"), Some("y"), NOW.0));
        }
        node.sync();
        let later = Millis(NOW.0 + 24 * 3600 * 1000);
        let end = node.log.end();
        let done = node.log.compact(later, end).expect("nothing fails");
        assert!(done.records_removed > 0);
        assert!(!latest(&read_all(&node.log.reader())).contains_key(&b"gone"[..]));
        drop(node);
        disk.power_loss();
        let node = start(&disk, &compacted());
        assert_eq!(node.log.end(), end, "{:?}", node.recovery);
        assert!(!latest(&read_all(&node.log.reader())).contains_key(&b"gone"[..]));
    }
}

#[test]
fn a_new_follower_copies_a_log_with_gaps() {
    let (disk, other) = (FaultyDisk::new(1), FaultyDisk::new(2));
    let mut node = start(&disk, &compacted());
    for at in 0..60 {
        node.append(&keyed(
            &format!("k{}", at % 3),
            Some(&format!("v{at}")),
            NOW.0,
        ));
    }
    node.sync();
    let end = node.log.end();
    node.log.compact(NOW, end).expect("nothing fails");
    let mut follower = start(&other, &compacted());
    while follower.log.end() < end {
        let reader = node.log.reader();
        let bytes = reader
            .read_bytes(follower.log.end(), end, 300, true)
            .expect("within the log");
        follower
            .log
            .append_as_follower(&bytes)
            .expect("gaps are fine");
    }
    let same = read_all(&node.log.reader());
    assert_eq!(read_all(&follower.log.reader()), same);
    follower.sync();
    drop(follower);
    other.power_loss();
    let follower = start(&other, &compacted());
    assert_eq!(read_all(&follower.log.reader()), same);
}

#[test]
fn producers_survive_the_compaction_of_their_records() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &compacted());
    let make = |sequence| {
        let mut builder = BatchBuilder::new().producer(9, 0, sequence);
        builder.push(NOW.0, Some(b"p"), Some(b"v"));
        builder.build()
    };
    node.append(&make(0));
    node.append(&make(1));
    for _ in 0..40 {
        node.append(&keyed("p", Some("newer"), NOW.0));
    }
    node.sync();
    let end = node.log.end();
    node.log.compact(NOW, end).expect("nothing fails");
    let again = node
        .log
        .append_as_leader(&make(1), EPOCH, NOW)
        .expect("sound");
    assert!(again.duplicate && again.base_offset == Offset(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn compaction_keeps_the_last_record_of_each_key(
        seed in any::<u64>(),
        writes in prop::collection::vec((0u8..12, prop::option::weighted(0.8, 0u16..)), 1..120),
        watermark in 0usize..120,
    ) {
        let disk = FaultyDisk::new(seed);
        let mut node = start(&disk, &compacted());
        for (key, value) in &writes {
            let value = value.map(|value| value.to_string());
            node.append(&keyed(&format!("key{key}"), value.as_deref(), NOW.0));
        }
        node.sync();
        let before = read_all(&node.log.reader());
        let watermark = Offset(watermark.min(writes.len()) as i64);
        node.log.compact(NOW, watermark).expect("nothing fails");
        drop(node);
        disk.power_loss();
        let node = start(&disk, &compacted());
        let after = read_all(&node.log.reader());
        prop_assert_eq!(latest(&after), latest(&before));
        // What is left is a part of what was there, unchanged, and all from the watermark on.
        for record in &after {
            prop_assert_eq!(record, &before[record.offset as usize]);
        }
        let above = |records: &[Record]| {
            records.iter().filter(|record| record.offset >= watermark.0).count()
        };
        prop_assert_eq!(above(&after), above(&before));
        prop_assert_eq!(node.log.end().0, writes.len() as i64);
    }

    #[test]
    fn look_ups_by_time_agree_with_a_scan(
        batches in prop::collection::vec(prop::collection::vec(0i64..1000, 1..5), 1..60),
        start_at in 0i64..40,
        below in 0i64..160,
        asked in -1i64..1010,
        clean in any::<bool>(),
    ) {
        let disk = FaultyDisk::new(1);
        let mut node = start(&disk, &small_segments());
        for stamps in &batches {
            let mut builder = BatchBuilder::new();
            for stamp in stamps {
                builder.push(*stamp, Some(b"k"), Some(b"some value"));
            }
            node.append(&builder.build());
        }
        node.sync();
        let first = Offset(start_at.min(node.log.end().0));
        node.log.advance_start(first).expect("nothing fails");
        if clean { node.stop() } else { drop(node) }
        disk.kill();
        let node = start(&disk, &small_segments());
        let reader = node.log.reader();
        let records = read_all(&reader);
        let within = || records.iter().filter(|record| record.offset < below);
        let expected = within().find(|record| record.timestamp >= asked);
        let found = reader.find_timestamp(asked, Offset(below)).expect("nothing fails");
        prop_assert_eq!(
            found.map(|(offset, timestamp, _)| (offset.0, timestamp)),
            expected.map(|record| (record.offset, record.timestamp))
        );
        let largest = within().map(|record| record.timestamp).max();
        let expected = within().find(|record| Some(record.timestamp) == largest);
        let found = reader.max_timestamp(Offset(below)).expect("nothing fails");
        prop_assert_eq!(
            found.map(|(offset, timestamp, _)| (offset.0, timestamp)),
            expected.map(|record| (record.offset, record.timestamp))
        );
    }
}
