//! Room on the volume: records are refused before nothing is left for what has to be written
//! besides them (metadata, marks, where a log starts), and a reserve lies aside for the case that
//! somebody else fills the volume.

use crate::disk::{Disk, DiskFile, Open};
use std::{
    io,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

const RESERVE_FILE: &str = "reserve";
/// The margin that appends leave, and as much again in the reserve.
const MARGIN_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Of a small volume only this part.
const MARGIN_PART: u64 = 16;

/// What [`crate::DataFolder::watch_room`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomState {
    /// That the volume has left.
    pub free_bytes: u64,
    /// Records are refused until there is more.
    pub scarce: bool,
}

/// Shared by the logs of a folder. Nothing is refused before the first [`Room::watch`].
pub(crate) struct Room<D: Disk> {
    disk: D,
    dir: PathBuf,
    /// Bytes that may be appended until the next look.
    left: AtomicI64,
    /// Since the last look.
    refused: AtomicBool,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    margin: u64,
    /// Bytes in the reserve.
    reserve: u64,
    scarce: bool,
}

impl<D: Disk> Room<D> {
    /// Gives the reserve up if the volume is full: a broker must start there too.
    pub(crate) fn open(disk: D, dir: PathBuf) -> io::Result<Self> {
        let total = disk.total_bytes(&dir)?;
        let margin = MARGIN_BYTES_MAX.min(total / MARGIN_PART);
        let path = dir.join(RESERVE_FILE);
        let mut reserve = 0;
        if disk.exists(&path) {
            if disk.free_bytes(&dir)? < margin / 2 {
                disk.remove(&path)?;
            } else {
                reserve = disk.open(&path, Open::Read)?.len()?;
            }
        }
        let keeper = Keeper {
            margin,
            reserve,
            scarce: false,
        };
        Ok(Self {
            disk,
            dir,
            left: AtomicI64::new(i64::MAX),
            refused: AtomicBool::new(false),
            keeper: Mutex::new(keeper),
        })
    }

    /// Takes room for an append; false: there is none.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let Ok(bytes) = i64::try_from(bytes) else {
            return false;
        };
        let less = |left: i64| left.checked_sub(bytes).filter(|left| *left >= 0);
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok();
        if !taken {
            self.refused.store(true, Ordering::Relaxed);
        }
        taken
    }

    pub(crate) fn watch(&self) -> io::Result<RoomState> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.disk.free_bytes(&self.dir)?;
        let margin = keeper.margin;
        let path = self.dir.join(RESERVE_FILE);
        if keeper.reserve == 0 && free >= 3 * margin {
            // Without it only the margin is left, which is what usually suffices.
            if self.make_reserve(margin).is_ok() {
                keeper.reserve = margin;
                free -= margin;
            }
        } else if keeper.reserve > 0 && free < margin / 2 {
            self.disk.remove(&path)?;
            free += keeper.reserve;
            keeper.reserve = 0;
        }
        let kept = 2 * margin - keeper.reserve.min(margin);
        let spare = free.saturating_sub(kept);
        // Not again at the first byte: it would be refused with the next.
        let refused = self.refused.swap(false, Ordering::Relaxed);
        let enough = if keeper.scarce || refused { margin } else { 1 };
        keeper.scarce = spare < enough;
        let left = if keeper.scarce { 0 } else { spare };
        self.left
            .store(i64::try_from(left).unwrap_or(i64::MAX), Ordering::Relaxed);
        Ok(RoomState {
            free_bytes: free,
            scarce: keeper.scarce,
        })
    }

    fn make_reserve(&self, bytes: u64) -> io::Result<()> {
        let path = self.dir.join(RESERVE_FILE);
        let made = self
            .disk
            .open(&path, Open::CreateOrOpen)
            .and_then(|file| file.allocate(bytes));
        if made.is_err() {
            // A part of it is of no use.
            let _ = self.disk.remove(&path);
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::FaultyDisk;
    use std::path::Path;

    const MARGIN: u64 = MARGIN_BYTES_MAX;

    fn room(disk: &FaultyDisk) -> Room<FaultyDisk> {
        let dir = Path::new("/data");
        disk.create_dir_all(dir).expect("a folder");
        Room::open(disk.clone(), dir.to_owned()).expect("it opens")
    }

    #[test]
    fn appends_leave_the_margin_and_are_refused_until_there_is_room_again() {
        let disk = FaultyDisk::new(1);
        let room = room(&disk);
        assert!(room.take(1 << 40), "nobody has looked yet");
        disk.set_free_bytes(Some(3 * MARGIN + 100));
        let state = room.watch().expect("it answers");
        assert!(!state.scarce);
        assert_eq!(state.free_bytes, 2 * MARGIN + 100, "the reserve is taken");
        assert!(room.take(100));
        disk.set_free_bytes(Some(2 * MARGIN - 100));
        assert!(room.take(MARGIN));
        assert!(!room.take(MARGIN), "that is the margin");
        let state = room.watch().expect("it answers");
        assert!(state.scarce, "a write was refused, so it is told");
        assert!(!room.take(1));
        disk.set_free_bytes(Some(MARGIN));
        assert!(room.watch().expect("it answers").scarce);
        disk.set_free_bytes(Some(2 * MARGIN - 1));
        assert!(room.watch().expect("it answers").scarce, "not enough yet");
        disk.set_free_bytes(Some(2 * MARGIN));
        assert!(!room.watch().expect("it answers").scarce);
        assert!(room.take(1));
    }

    #[test]
    fn the_reserve_is_given_up_when_others_fill_the_volume_and_taken_again() {
        let disk = FaultyDisk::new(1);
        let reserve = Path::new("/data").join(RESERVE_FILE);
        let room = room(&disk);
        room.watch().expect("it answers");
        assert!(disk.exists(&reserve));
        disk.set_free_bytes(Some(10));
        let state = room.watch().expect("it answers");
        assert!(state.scarce && !disk.exists(&reserve));
        assert_eq!(state.free_bytes, MARGIN + 10);
        assert!(!room.take(1));
        disk.set_free_bytes(Some(10 * MARGIN));
        assert!(!room.watch().expect("it answers").scarce);
        assert!(disk.exists(&reserve));
    }

    #[test]
    fn a_start_on_a_full_volume_has_the_reserve() {
        let disk = FaultyDisk::new(1);
        room(&disk).watch().expect("it answers");
        disk.set_free_bytes(Some(0));
        let room = room(&disk);
        assert_eq!(disk.free_bytes(Path::new("/data")).ok(), Some(MARGIN));
        assert!(room.watch().expect("it answers").scarce);
    }
}
