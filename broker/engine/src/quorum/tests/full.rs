//! The metadata's file on a volume that is full for a while, and on one that fails.

use redb::backends::FileBackend;
use redb::{Database, StorageBackend};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::quorum::store::{Slot, Store};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a volume answers to writes.
#[derive(Debug, Default)]
struct Volume {
    refuses: Mutex<Option<ErrorKind>>,
    refused: AtomicU32,
}

impl Volume {
    fn refuse(&self, with: Option<ErrorKind>) {
        *self.refuses.lock().expect("no panic") = with;
    }

    fn ask(&self) -> io::Result<()> {
        let Some(kind) = *self.refuses.lock().expect("no panic") else {
            return Ok(());
        };
        self.refused.fetch_add(1, Ordering::Relaxed);
        Err(kind.into())
    }

    async fn refused(&self) {
        let some = async {
            while self.refused.load(Ordering::Relaxed) == 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, some).await.expect("a write is refused");
    }
}

#[derive(Debug)]
struct OnVolume {
    file: FileBackend,
    volume: Arc<Volume>,
}

impl StorageBackend for OnVolume {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.volume.ask()?;
        self.file.write(offset, data)
    }
}

fn store(folder: &TempDir) -> (Store, Arc<Volume>) {
    let path = folder.path().join("quorum.redb");
    let volume = Arc::new(Volume::default());
    let on = Arc::clone(&volume);
    let open = move || open(&path, &on);
    let store = Store::start(Box::new(open)).expect("an empty file opens");
    (store, volume)
}

fn open(path: &PathBuf, volume: &Arc<Volume>) -> Result<Database, redb::Error> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = FileBackend::new(options.open(path)?)?;
    let volume = Arc::clone(volume);
    Ok(Database::builder().create_with_backend(OnVolume { file, volume })?)
}

#[tokio::test]
async fn a_write_to_a_full_volume_is_done_once_there_is_room() {
    let folder = TempDir::new().expect("a folder");
    let (store, volume) = store(&folder);
    let before = store.put(Slot::Identity, b"before".to_vec());
    before.await.expect("there is room");

    volume.refuse(Some(ErrorKind::StorageFull));
    store
        .put_lazily(Slot::Committed, b"along".to_vec())
        .await
        .expect("it is queued");
    let while_full = store.put(Slot::Vote, b"while full".to_vec());
    let room = async {
        volume.refused().await;
        volume.refuse(None);
    };
    let (written, ()) = tokio::join!(while_full, room);
    written.expect("it waited for room");

    for (slot, expected) in [
        (Slot::Identity, "before"),
        (Slot::Committed, "along"),
        (Slot::Vote, "while full"),
    ] {
        let found = store.get(slot).await.expect("it is read");
        assert_eq!(found.as_deref(), Some(expected.as_bytes()), "{slot:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn after_any_other_failure_nothing_is_promised_any_more() {
    let folder = TempDir::new().expect("a folder");
    let (store, volume) = store(&folder);
    volume.refuse(Some(ErrorKind::Other));
    let failed = store.put(Slot::Vote, b"lost".to_vec()).await;
    assert!(failed.is_err(), "the volume refused it");
    volume.refuse(None);
    let later = store.put(Slot::Vote, b"later".to_vec()).await;
    assert!(later.is_err(), "nothing is known about the file");
}
