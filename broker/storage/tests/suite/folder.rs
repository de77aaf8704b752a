//! The data folder, on the real disk and after crashes of the simulated one.

use crate::support::*;
use std::path::Path;
use weir_storage::{DataFolder, FaultyDisk, LogConfig, RealDisk, Recovery, StorageError};
use weir_types::{BrokerId, Offset, PartitionId, TopicId};

fn open(path: &Path, broker: i32) -> Result<DataFolder<RealDisk>, StorageError> {
    DataFolder::open(RealDisk, path, BrokerId(broker), NOW)
}

#[test]
fn a_folder_has_one_broker_one_cluster_and_one_process() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = root.path().join("data");
    let folder = open(&path, 4).expect("fresh");
    let id = folder.folder_id();
    assert_eq!(folder.cluster_id(), None);
    assert!(!folder.was_clean());
    assert!(matches!(open(&path, 4), Err(StorageError::Locked { .. })));
    folder.set_cluster_id("c1").expect("the first");
    folder.set_cluster_id("c1").expect("the same");
    assert!(matches!(
        folder.set_cluster_id("c2"),
        Err(StorageError::ClusterMismatch { .. })
    ));
    folder.mark_clean().expect("room");
    drop(folder);
    let error = open(&path, 5).expect_err("another broker");
    assert!(matches!(error, StorageError::BrokerMismatch { .. }));
    assert!(
        error
            .to_string()
            .contains("belongs to broker 4, this is broker 5"),
        "{error}"
    );
    let folder = open(&path, 4).expect("its own");
    assert_eq!(
        (folder.folder_id(), folder.cluster_id()),
        (id, Some("c1".to_owned()))
    );
}

#[test]
fn bent_or_newer_meta_files_are_refused() {
    let root = tempfile::tempdir().expect("a temporary folder");
    drop(open(root.path(), 4).expect("fresh"));
    let meta = root.path().join("meta");
    let mut bytes = std::fs::read(&meta).expect("is there");
    bytes[1] = 2;
    std::fs::write(&meta, &bytes).expect("room");
    let error = open(root.path(), 4).expect_err("newer");
    assert!(error.to_string().contains("version 2"), "{error}");
    bytes[1] = 1;
    bytes[20] ^= 1;
    std::fs::write(&meta, &bytes).expect("room");
    assert!(matches!(
        open(root.path(), 4),
        Err(StorageError::Format { .. })
    ));
}

#[test]
fn a_log_on_the_real_disk_survives_restarts() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let config = LogConfig {
        segment_bytes: 4096,
        ..LogConfig::default()
    };
    for orderly in [true, false, true] {
        let folder = open(root.path(), 1).expect("its own");
        let (mut log, _) = folder
            .open_log(partition(), config.clone(), NOW)
            .expect("opens");
        let before = log.end();
        for _ in 0..100 {
            log.append_as_leader(&batch("real", 3), EPOCH, NOW)
                .expect("sound");
        }
        let job = log.begin_sync().expect("something is dirty");
        let done = std::thread::spawn(move || job.run())
            .join()
            .expect("no panic");
        assert!(done.syncs() >= 2);
        assert_eq!(log.finish_sync(done).expect("it works"), before.plus(300));
        folder
            .record_marks(&[(partition(), log.durable_end())])
            .expect("room");
        let slice = log
            .reader()
            .read(before, log.end(), 100, true)
            .expect("in the log");
        use weir_storage::DiskFile as _;
        assert!(slice.file.std().is_some());
        if orderly {
            log.close().expect("it works");
            folder.mark_clean().expect("room");
        }
        drop((log, folder));
        let folder = open(root.path(), 1).expect("its own");
        assert_eq!(folder.was_clean(), orderly);
        let (log, recovery) = folder
            .open_log(partition(), config.clone(), NOW)
            .expect("opens");
        let end = before.plus(300);
        match orderly {
            true => assert_eq!(recovery, Recovery::Clean { end }),
            false => assert_eq!(recovery, Recovery::Recovered { end, cut_bytes: 0 }),
        }
        assert_eq!(log.end(), end);
    }
}

#[test]
fn marks_beyond_what_is_durable_are_held_back() {
    let disk = FaultyDisk::new(1);
    let mut node = start(&disk, &LogConfig::default());
    node.append(&batch("a", 5));
    node.sync();
    node.log.truncate(Offset(0)).expect("it works");
    // A sync cycle's marks that were gathered before the cut.
    node.folder
        .record_marks(&[(partition(), Offset(5))])
        .expect("room");
    drop(node);
    disk.kill();
    let node = start(&disk, &LogConfig::default());
    assert!(
        !matches!(node.recovery, Recovery::Damaged { .. }),
        "{:?}",
        node.recovery
    );
}

#[test]
fn the_file_of_marks_stays_small_and_its_marks_stay() {
    let disk = FaultyDisk::new(1);
    let folder = folder(&disk);
    let other = PartitionId::new(TopicId::default(), 0);
    let config = LogConfig::default();
    let (mut quiet, _) = folder.open_log(other, config.clone(), NOW).expect("opens");
    quiet
        .append_as_leader(&batch("q", 1), EPOCH, NOW)
        .expect("sound");
    sync(&mut quiet);
    folder.record_marks(&[(other, Offset(1))]).expect("room");
    let (mut log, _) = folder.open_log(partition(), config, NOW).expect("opens");
    for at in 1..=9000 {
        log.append_as_leader(&batch("a", 1), EPOCH, NOW)
            .expect("sound");
        sync(&mut log);
        folder
            .record_marks(&[(partition(), Offset(at))])
            .expect("room");
    }
    use weir_storage::{Disk as _, DiskFile as _, Open};
    let len = disk
        .open("/data/marks".as_ref(), Open::Read)
        .and_then(|file| file.len());
    assert!(len.expect("is there") < 300 * 1024);
    drop((log, quiet, folder));
    disk.kill();
    let file = format!("/data/partitions/{other}/{:020}.log", 0);
    disk.flip_bit(file.as_ref(), 70, 1).expect("is there");
    let folder = crate::support::folder(&disk);
    let (_, recovery) = folder
        .open_log(other, LogConfig::default(), NOW)
        .expect("opens");
    assert!(
        matches!(recovery, Recovery::Damaged { .. }),
        "its mark was kept"
    );
}
