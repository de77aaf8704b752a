//! What the tests of this crate share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use bytes::Bytes;
use std::path::Path;
use uuid::Uuid;
use weir_storage::{
    BatchBuilder, DataFolder, FaultyDisk, Log, LogConfig, LogReader, Record, Recovery,
    for_each_record,
};
use weir_types::{BrokerId, FolderId, LeaderEpoch, Millis, Offset, PartitionId, TopicId};

pub const NOW: Millis = Millis(1_700_000_000_000);
pub const EPOCH: LeaderEpoch = LeaderEpoch(1);

pub fn partition() -> PartitionId {
    PartitionId::new(TopicId(Uuid::from_u128(0xabcd)), 3)
}

pub fn log_file(base: i64) -> String {
    format!("/data/partitions/{}/{base:020}.log", partition())
}

pub fn folder(disk: &FaultyDisk) -> DataFolder<FaultyDisk> {
    let id = || FolderId(Uuid::from_u128(7));
    DataFolder::open_with_id(disk.clone(), Path::new("/data"), BrokerId(1), id)
        .expect("the folder opens")
}

pub struct Node {
    pub folder: DataFolder<FaultyDisk>,
    pub log: Log<FaultyDisk>,
    pub recovery: Recovery,
}

pub fn start(disk: &FaultyDisk, config: &LogConfig) -> Node {
    let folder = folder(disk);
    let (log, recovery) = folder
        .open_log(partition(), config.clone(), NOW)
        .expect("the log opens");
    Node {
        folder,
        log,
        recovery,
    }
}

impl Node {
    pub fn append(&mut self, records: &Bytes) -> Offset {
        self.log
            .append_as_leader(records, EPOCH, NOW)
            .expect("it is sound")
            .base_offset
    }

    pub fn sync(&mut self) {
        sync(&mut self.log);
        self.folder
            .record_marks(&[(partition(), self.log.durable_end())])
            .expect("room");
    }

    pub fn stop(mut self) {
        self.log.close().expect("nothing fails");
        self.folder.mark_clean().expect("nothing fails");
    }
}

pub fn sync(log: &mut Log<FaultyDisk>) {
    if let Some(job) = log.begin_sync() {
        log.finish_sync(job.run()).expect("the sync works");
    }
}

pub fn small_segments() -> LogConfig {
    LogConfig {
        segment_bytes: 1024,
        index_interval_bytes: 128,
        ..LogConfig::default()
    }
}

/// A batch of `count` records whose values begin with `tag`.
pub fn batch(tag: &str, count: usize) -> Bytes {
    let mut builder = BatchBuilder::new();
    for at in 0..count {
        builder.push(NOW.0, Some(b"k"), Some(format!("{tag}-{at}").as_bytes()));
    }
    builder.build()
}

pub fn keyed(key: &str, value: Option<&str>, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.push(timestamp, Some(key.as_bytes()), value.map(str::as_bytes));
    builder.build()
}

/// Everything that the log has, read batch after batch.
pub fn read_all(reader: &LogReader<FaultyDisk>) -> Vec<Record> {
    let (mut at, end) = (reader.start(), reader.end());
    let mut records = Vec::new();
    while at < end {
        let slice = reader.read(at, end, 700, true).expect("within the log");
        let bytes = reader
            .read_bytes(at, end, 700, true)
            .expect("within the log");
        assert_eq!(bytes.len(), slice.len);
        if slice.len == 0 {
            break;
        }
        for_each_record(&bytes, |_, record| {
            if record.offset >= reader.start().0 {
                records.push(record);
            }
        })
        .expect("sound batches");
        assert!(slice.next > at, "no progress at {at}");
        at = slice.next;
    }
    records
}

pub fn values(reader: &LogReader<FaultyDisk>) -> Vec<String> {
    let value = |record: &Record| {
        String::from_utf8(record.value.clone().unwrap_or_default().to_vec()).expect("text")
    };
    read_all(reader).iter().map(value).collect()
}

/// One record of an idempotent producer's epoch 0.
pub fn producer_batch(id: i64, sequence: i32, value: &str) -> Bytes {
    let mut builder = BatchBuilder::new().producer(id, 0, sequence);
    builder.push(NOW.0, Some(b"k"), Some(value.as_bytes()));
    builder.build()
}
