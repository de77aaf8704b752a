use super::*;
use crate::FaultyDisk;

fn open(disk: &FaultyDisk, clean: bool) -> Epochs<FaultyDisk> {
    Epochs::open(disk, PathBuf::from("/epochs"), clean).expect("the disk is sound")
}

fn rows(epochs: &Epochs<FaultyDisk>) -> Vec<(i32, i64)> {
    epochs.entries.iter().map(|e| (e.epoch, e.start)).collect()
}

fn with(entries: &[(i32, i64)]) -> (FaultyDisk, Epochs<FaultyDisk>) {
    let disk = FaultyDisk::new(1);
    let mut epochs = open(&disk, true);
    for &(epoch, start) in entries {
        epochs.note(epoch, start).expect("room");
    }
    (disk, epochs)
}

#[test]
fn recovery_of_one_segment_keeps_the_epochs_of_others() {
    let (disk, mut epochs) = with(&[(0, 0), (3, 100), (4, 200)]);
    // A segment below the log's start, one that begins within an epoch, one known.
    for (epoch, start) in [(0, 0), (2, 50), (3, 150), (4, 200)] {
        epochs.restore(epoch, start);
    }
    assert_eq!(rows(&epochs), [(0, 0), (2, 50), (3, 100), (4, 200)]);
    epochs.store_restored().expect("room");
    assert_eq!(rows(&open(&disk, true)), rows(&epochs));
}

#[test]
fn an_epoch_that_contradicts_a_record_goes() {
    let (_, mut epochs) = with(&[(0, 0), (5, 100)]);
    epochs.restore(4, 100);
    assert_eq!(rows(&epochs), [(0, 0), (4, 100)]);
}

#[test]
fn what_a_killed_process_left_in_the_page_cache_is_synced() {
    let (disk, _) = with(&[(0, 0), (1, 10)]);
    let taken = |clean| open(&disk, clean).take_dirty().expect("it opens").is_some();
    assert!(taken(false));
    assert!(!taken(true));
}

#[test]
fn an_epoch_without_records_goes_without_a_sync_and_its_return_does_no_harm() {
    let moved = |disk: &FaultyDisk, epochs: &mut Epochs<FaultyDisk>| {
        // Whatever syncs would fail.
        disk.fail_next_syncs(100);
        epochs.note(3, 100).expect("no sync");
        assert_eq!(rows(epochs), [(0, 0), (3, 100)]);
        epochs.cut_empty(100).expect("no sync");
        assert_eq!(rows(epochs), [(0, 0)]);
    };
    let (disk, mut epochs) = with(&[(0, 0), (2, 100)]);
    moved(&disk, &mut epochs);
    assert_eq!(rows(&open(&disk, false)), [(0, 0)]);

    let (disk, mut epochs) = with(&[(0, 0), (2, 100)]);
    let file = epochs.take_dirty().expect("it opens").expect("it is dirty");
    file.sync_data().expect("the disk is sound");
    disk.sync_dir(std::path::Path::new("/"))
        .expect("the disk is sound");
    moved(&disk, &mut epochs);
    disk.power_loss();
    let mut epochs = open(&disk, false);
    assert!(rows(&epochs).starts_with(&[(0, 0)]), "{:?}", rows(&epochs));
    epochs.restore(4, 100);
    assert_eq!(rows(&epochs), [(0, 0), (4, 100)]);
}

#[test]
fn a_new_file_asks_for_its_folder_to_be_synced_once() {
    let (_, mut epochs) = with(&[(0, 0), (1, 10)]);
    assert!(epochs.take_created());
    assert!(!epochs.take_created());
}
