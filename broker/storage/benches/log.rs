//! What a write and a read cost in the log: `make bench`.

#[path = "../../benches/median.rs"]
mod median;

use bytes::Bytes;
use median::{heading, measure};
use std::hint::black_box;
use std::path::Path;
use uuid::Uuid;
use weir_storage::{BatchBuilder, DataFolder, Log, LogConfig, RealDisk};
use weir_types::{BrokerId, LeaderEpoch, Millis, Offset, PartitionId, TopicId};

const NOW: Millis = Millis(1_700_000_000_000);
const EPOCH: LeaderEpoch = LeaderEpoch(1);
const RECORDS: usize = 100;

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new();
    for at in 0..RECORDS {
        builder.push(
            NOW.0,
            Some(format!("key-{at}").as_bytes()),
            Some(&[b'v'; 100]),
        );
    }
    builder.build()
}

fn open(path: &Path, config: LogConfig) -> (DataFolder<RealDisk>, Log<RealDisk>) {
    let folder = DataFolder::open(RealDisk, path, BrokerId(1), NOW).expect("an empty folder");
    let id = PartitionId::new(TopicId(Uuid::from_u128(1)), 0);
    let (log, _) = folder.open_log(id, config, NOW).expect("an empty log");
    (folder, log)
}

fn append(log: &mut Log<RealDisk>, records: &Bytes) {
    log.append_as_leader(records, EPOCH, NOW).expect("sound");
}

/// CRC, sizes, counts and the copy into the page cache.
fn validate_and_append() {
    const KEPT_BYTES_MAX: u64 = 64 << 20;
    let root = tempfile::tempdir().expect("a temporary folder");
    let (_folder, mut log) = open(root.path(), LogConfig::default());
    let records = batch();
    measure("validate and append 100 records", || {
        append(&mut log, black_box(&records));
        if log.size_bytes() > KEPT_BYTES_MAX {
            log.reset(Offset(0)).expect("nothing fails");
        }
    });
}

/// One cycle of group commit as a lone producer sees it.
fn append_and_sync() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let (_folder, mut log) = open(root.path(), LogConfig::default());
    let records = batch();
    measure("append and sync 100 records", || {
        append(&mut log, &records);
        let job = log.begin_sync().expect("something is dirty");
        log.finish_sync(job.run()).expect("the disk works");
    });
}

fn look_up_and_read() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let config = LogConfig {
        segment_bytes: 4 << 20,
        ..LogConfig::default()
    };
    let (_folder, mut log) = open(root.path(), config);
    let records = batch();
    for _ in 0..5_000 {
        append(&mut log, &records);
    }
    let (reader, end) = (log.reader(), log.end());
    // A large prime step: neither the same segment nor the same batch twice in a row.
    let mut at = 0;
    let mut next = move || {
        at = (at + 196_613) % end.0;
        Offset(at)
    };
    measure("look an offset up in 15 segments", || {
        black_box(
            reader
                .read(next(), end, 64 << 10, true)
                .expect("in the log"),
        );
    });
    measure("look an offset up and read 64 KiB", || {
        black_box(
            reader
                .read_bytes(next(), end, 64 << 10, true)
                .expect("in the log"),
        );
    });
}

fn main() {
    heading();
    validate_and_append();
    append_and_sync();
    look_up_and_read();
}
