//! What every disk does; run against the real one and the simulated one.

use std::{
    io::{ErrorKind, IoSlice},
    path::Path,
};
use weir_storage::{Disk, DiskFile, FaultyDisk, Open, RealDisk};

fn conformance<D: Disk>(disk: &D, root: &Path) {
    opens_as_told(disk, root);
    reads_and_writes_at_positions(disk, root);
    vectored_writes_are_one_row(disk, root);
    lengths_change(disk, root);
    names_change(disk, root);
    open_files_outlive_their_names(disk, root);
    locks_exclude(disk, root);
}

fn opens_as_told<D: Disk>(disk: &D, root: &Path) {
    let path = root.join("open");
    let kind = |how| {
        disk.open(&path, how)
            .map(drop)
            .map_err(|error| error.kind())
    };
    assert_eq!(kind(Open::Read), Err(ErrorKind::NotFound));
    assert_eq!(kind(Open::ReadWrite), Err(ErrorKind::NotFound));
    assert_eq!(kind(Open::CreateNew), Ok(()));
    assert_eq!(kind(Open::CreateNew), Err(ErrorKind::AlreadyExists));
    assert_eq!(kind(Open::CreateOrOpen), Ok(()));
    let missing = root.join("missing/file");
    let error = disk
        .open(&missing, Open::CreateNew)
        .map(drop)
        .expect_err("no such folder");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let reader = disk.open(&path, Open::Read).expect("it is there");
    assert!(reader.write_at(b"x", 0).is_err(), "opened for reading");
}

fn reads_and_writes_at_positions<D: Disk>(disk: &D, root: &Path) {
    let file = disk.open(&root.join("rw"), Open::CreateNew).expect("fresh");
    file.write_all_at(b"hello", 3).expect("room");
    assert_eq!(file.len().expect("open"), 8);
    let mut all = [9; 8];
    file.read_exact_at(&mut all, 0).expect("8 bytes");
    assert_eq!(&all, b"\0\0\0hello");
    let mut more = [0; 8];
    assert_eq!(file.read_at(&mut more, 6).expect("open"), 2);
    assert_eq!(file.read_at(&mut more, 8).expect("open"), 0);
    assert_eq!(file.read_at(&mut more, 1000).expect("open"), 0);
    let error = file.read_exact_at(&mut more, 6).expect_err("too short");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    file.sync_data().expect("nothing fails");
    file.forget_cache();
    file.read_exact_at(&mut all, 0).expect("8 bytes");
    assert_eq!(&all, b"\0\0\0hello");
}

fn vectored_writes_are_one_row<D: Disk>(disk: &D, root: &Path) {
    let file = disk
        .open(&root.join("vectored"), Open::CreateNew)
        .expect("fresh");
    let parts: Vec<Vec<u8>> = (0..2000u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    slices.insert(1, IoSlice::new(b""));
    file.write_all_vectored_at(&mut slices, 10).expect("room");
    let mut read = vec![0; 8000];
    file.read_exact_at(&mut read, 10).expect("all of it");
    assert_eq!(read, parts.concat());
}

fn lengths_change<D: Disk>(disk: &D, root: &Path) {
    let file = disk
        .open(&root.join("len"), Open::CreateNew)
        .expect("fresh");
    assert!(file.is_empty().expect("open"));
    file.write_all_at(b"0123456789", 0).expect("room");
    file.set_len(4).expect("shrinks");
    file.set_len(6).expect("grows");
    let mut read = [9; 6];
    file.read_exact_at(&mut read, 0).expect("6 bytes");
    assert_eq!(&read, b"0123\0\0");
}

fn names_change<D: Disk>(disk: &D, root: &Path) {
    let dir = root.join("a/b");
    disk.create_dir_all(&dir).expect("fresh");
    disk.create_dir_all(&dir).expect("again is fine");
    for name in ["two", "one", "three"] {
        let file = disk.open(&dir.join(name), Open::CreateNew).expect("fresh");
        file.write_all_at(name.as_bytes(), 0).expect("room");
    }
    assert_eq!(disk.list(&dir).expect("a folder"), ["one", "three", "two"]);
    disk.rename(&dir.join("one"), &dir.join("two"))
        .expect("replaces");
    disk.remove(&dir.join("three")).expect("is there");
    assert_eq!(disk.list(&dir).expect("a folder"), ["two"]);
    let file = disk.open(&dir.join("two"), Open::Read).expect("is there");
    let mut read = [0; 3];
    file.read_exact_at(&mut read, 0).expect("3 bytes");
    assert_eq!(&read, b"one");
    assert_eq!(
        disk.remove(&dir.join("three")).expect_err("gone").kind(),
        ErrorKind::NotFound
    );
    disk.sync_dir(&dir).expect("a folder");
    assert!(disk.exists(&dir));
    disk.rename(&dir, &root.join("a/c")).expect("folders too");
    assert!(disk.exists(&root.join("a/c/two")) && !disk.exists(&dir));
    disk.remove_dir_all(&root.join("a")).expect("is there");
    assert!(!disk.exists(&root.join("a/c/two")));
    assert!(disk.list(&root.join("a")).is_err());
    assert!(disk.free_bytes(root).expect("a folder") > 0);
}

fn open_files_outlive_their_names<D: Disk>(disk: &D, root: &Path) {
    let path = root.join("named");
    let file = disk.open(&path, Open::CreateNew).expect("fresh");
    file.write_all_at(b"still here", 0).expect("room");
    disk.remove(&path).expect("is there");
    let mut read = [0; 10];
    file.read_exact_at(&mut read, 0).expect("open");
    assert_eq!(&read, b"still here");
}

fn locks_exclude<D: Disk>(disk: &D, root: &Path) {
    let path = root.join("lock");
    let lock = disk.lock(&path).expect("works");
    assert!(lock.is_some());
    assert!(disk.lock(&path).expect("works").is_none());
    drop(lock);
    assert!(disk.lock(&path).expect("works").is_some());
}

#[test]
fn the_real_disk_conforms() {
    let root = tempfile::tempdir().expect("a temporary folder");
    conformance(&RealDisk, root.path());
}

#[test]
fn the_simulated_disk_conforms() {
    let disk = FaultyDisk::new(1);
    disk.create_dir_all(Path::new("/root")).expect("fresh");
    conformance(&disk, Path::new("/root"));
    let short = FaultyDisk::new(1);
    short.create_dir_all(Path::new("/root")).expect("fresh");
    short.set_short_writes(2);
    conformance(&short, Path::new("/root"));
    assert!(short.counters().short_writes > 0);
}

#[test]
fn power_loss_keeps_what_was_synced_and_may_lose_the_rest() {
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..50 {
        let disk = FaultyDisk::new(seed);
        let dir = Path::new("/d");
        disk.create_dir_all(dir).expect("fresh");
        disk.sync_dir(Path::new("/")).expect("a folder");
        let file = disk.open(&dir.join("f"), Open::CreateNew).expect("fresh");
        file.write_all_at(&[1; 10_000], 0).expect("room");
        file.sync_data().expect("works");
        disk.sync_dir(dir).expect("a folder");
        file.write_all_at(&[2; 10_000], 10_000).expect("room");
        let unsynced = disk.open(&dir.join("g"), Open::CreateNew).expect("fresh");
        unsynced.write_all_at(b"x", 0).expect("room");
        disk.power_loss();
        assert!(file.len().is_err(), "handles die with the power");
        let file = disk
            .open(&dir.join("f"), Open::Read)
            .expect("its name was synced");
        let mut read = vec![0; 10_000];
        file.read_exact_at(&mut read, 0)
            .expect("its length was synced");
        assert!(read.iter().all(|&byte| byte == 1));
        match disk.exists(&dir.join("g")) {
            true => kept += 1,
            false => lost += 1,
        }
    }
    assert!(lost > 0 && kept > 0);
}

#[test]
fn a_failed_sync_loses_what_it_should_have_kept() {
    let disk = FaultyDisk::new(3);
    let path = Path::new("/f");
    let file = disk.open(path, Open::CreateNew).expect("fresh");
    disk.sync_dir(Path::new("/")).expect("a folder");
    file.write_all_at(b"gone", 0).expect("room");
    disk.fail_next_sync();
    assert!(file.sync_data().is_err());
    file.sync_data()
        .expect("the second one claims to have worked");
    disk.power_loss();
    let file = disk.open(path, Open::Read).expect("its name was synced");
    let mut read = vec![0; 4];
    let count = file.read_at(&mut read, 0).expect("open");
    assert_ne!(&read[..count], b"gone");
}

#[test]
fn a_failed_sync_of_a_folder_loses_its_names_whatever_a_second_one_claims() {
    let disk = FaultyDisk::new(3);
    let root = Path::new("/");
    let old = disk
        .open(Path::new("/old"), Open::CreateNew)
        .expect("fresh");
    drop(old);
    disk.sync_dir(root).expect("a folder");
    disk.open(Path::new("/new"), Open::CreateNew)
        .expect("fresh");
    disk.rename(Path::new("/old"), Path::new("/renamed"))
        .expect("is there");
    disk.fail_next_sync();
    assert!(disk.sync_dir(root).is_err(), "armed for folders too");
    disk.fail_next_dir_sync();
    assert!(disk.sync_dir(root).is_err());
    disk.sync_dir(root).expect("claims to have worked");
    assert_eq!(disk.counters().failed_syncs, 2);
    assert_eq!(disk.list(root).expect("a folder"), ["new", "renamed"]);
    disk.power_loss();
    assert_eq!(disk.list(root).expect("a folder"), ["old"]);
}

#[test]
fn an_armed_failure_of_a_folders_sync_lets_files_be() {
    let disk = FaultyDisk::new(3);
    let file = disk.open(Path::new("/f"), Open::CreateNew).expect("fresh");
    disk.fail_next_dir_sync();
    file.sync_data().expect("only folders fail");
    assert!(disk.sync_dir(Path::new("/")).is_err());
    disk.sync_dir(Path::new("/")).expect("once");
}

#[test]
fn power_losses_tear_pages_and_bits_turn_over() {
    const PAGE: usize = 4096;
    let path = Path::new("/f");
    let (mut torn, mut whole) = (0, 0);
    for seed in 0..50 {
        let disk = FaultyDisk::new(seed);
        let file = disk.open(path, Open::CreateNew).expect("fresh");
        disk.sync_dir(Path::new("/")).expect("a folder");
        file.write_all_at(&[1; 4 * PAGE], 0).expect("room");
        file.sync_data().expect("works");
        file.write_all_at(&[2; 4 * PAGE], 0).expect("room");
        disk.power_loss();
        let file = disk.open(path, Open::Read).expect("its name was synced");
        let mut read = vec![0; 4 * PAGE];
        file.read_exact_at(&mut read, 0).expect("its length too");
        for page in read.chunks(PAGE) {
            assert!(page.iter().all(|byte| matches!(byte, 1 | 2)));
            let mixed = page.contains(&1) && page.contains(&2);
            torn += u64::from(mixed);
            whole += u64::from(!mixed);
        }
        let told = disk.counters();
        let all = told.pages_torn + told.pages_lost + told.pages_kept;
        assert_eq!(all, 4, "{told:?}");

        let at = seed * 300;
        assert!(disk.flip_bit(path, at, 5).expect("is there"));
        assert!(!disk.flip_bit(path, 4 * PAGE as u64, 5).expect("is there"));
        assert_eq!(disk.counters().bits_flipped, 1);
        disk.power_loss();
        let file = disk.open(path, Open::Read).expect("its name was synced");
        let mut after = vec![0; 4 * PAGE];
        file.read_exact_at(&mut after, 0).expect("its length too");
        read[usize::try_from(at).expect("small")] ^= 1 << 5;
        assert!(after == read, "the bit stays turned over, and no other is");
    }
    assert!(torn > 20 && whole > 20, "{torn} torn, {whole} whole");
}

#[test]
fn a_full_disk_takes_what_fits_and_then_refuses() {
    let disk = FaultyDisk::new(4);
    let file = disk.open(Path::new("/f"), Open::CreateNew).expect("fresh");
    disk.set_free_bytes(Some(6));
    let error = file.write_all_at(b"0123456789", 0).expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(file.len().expect("open"), 6);
    file.write_all_at(b"abcdef", 0)
        .expect("overwriting needs no room");
    file.set_len(2).expect("shrinks");
    file.write_all_at(b"xyz", 2).expect("there is room again");
}
