//! The quorum's file: log, vote, identity and snapshot in one redb database, on its own thread.
//!
//! Writes that wait together share one commit, so one sync covers them.

mod worker;

use openraft::storage::IOFlushed;
use redb::{Database, TableDefinition};
use std::fs::File;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

use super::types::Types;
use worker::Worker;

const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const CACHE_BYTES: usize = 8 * 1024 * 1024;
const QUEUE_MAX: usize = 1024;

/// Single values of the database.
#[derive(Clone, Copy, Debug)]
pub enum Slot {
    Vote,
    Committed,
    Purged,
    Identity,
    Snapshot,
}

impl Slot {
    const fn name(self) -> &'static str {
        match self {
            Self::Vote => "vote",
            Self::Committed => "committed",
            Self::Purged => "purged",
            Self::Identity => "identity",
            Self::Snapshot => "snapshot",
        }
    }
}

/// Opens the database, each time anew.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, redb::Error> + Send>;
type Done<T> = oneshot::Sender<io::Result<T>>;
pub type RawEntry = (u64, Vec<u8>);

enum Request {
    Append(Vec<RawEntry>, IOFlushed<Types>),
    Put(Slot, Vec<u8>, Done<()>),
    /// Written along with whatever is written next, or at the close.
    PutLazily(Slot, Vec<u8>),
    /// Removes entries from this index on.
    Truncate(u64, Done<()>),
    /// Removes entries up to and including this index, and remembers that they were.
    Purge(u64, Vec<u8>, Done<()>),
    Get(Slot, Done<Option<Vec<u8>>>),
    Read((Bound<u64>, Bound<u64>), Done<Vec<RawEntry>>),
    Last(Done<Option<Vec<u8>>>),
    Close(oneshot::Sender<()>),
}

/// Handle to the thread. Cheap to clone. Requests are served in order.
#[derive(Clone)]
pub struct Store {
    requests: mpsc::Sender<Request>,
}

fn gone() -> io::Error {
    io::Error::other("the metadata store is closed")
}

impl Store {
    /// Opens `folder/metadata`, creating it if it is not there. Blocks.
    ///
    /// # Errors
    /// Locked by another process, damaged, or an input or output error.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let folder = folder.join("metadata");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join("quorum.redb");
        let open = move || {
            Ok(Database::builder()
                .set_cache_size(CACHE_BYTES)
                .create(&path)?)
        };
        let store = Self::start(Box::new(open))?;
        File::open(&folder)?.sync_all()?;
        if let Some(parent) = folder.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(store)
    }

    pub(super) fn start(open: Opener) -> io::Result<Self> {
        let worker = Worker::new(open).map_err(io::Error::other)?;
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        std::thread::Builder::new()
            .name("metadata".into())
            .spawn(move || worker.run(queue))?;
        Ok(Self { requests })
    }

    async fn ask<T>(&self, request: impl FnOnce(Done<T>) -> Request) -> io::Result<T> {
        let (done, answer) = oneshot::channel();
        self.requests
            .send(request(done))
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Queues entries; `flushed` hears when they are synced.
    pub async fn append(
        &self,
        entries: Vec<RawEntry>,
        flushed: IOFlushed<Types>,
    ) -> io::Result<()> {
        let request = Request::Append(entries, flushed);
        self.requests.send(request).await.map_err(|_| gone())
    }

    pub async fn put(&self, slot: Slot, value: Vec<u8>) -> io::Result<()> {
        self.ask(|done| Request::Put(slot, value, done)).await
    }

    pub async fn put_lazily(&self, slot: Slot, value: Vec<u8>) -> io::Result<()> {
        let request = Request::PutLazily(slot, value);
        self.requests.send(request).await.map_err(|_| gone())
    }

    pub async fn truncate(&self, from: u64) -> io::Result<()> {
        self.ask(|done| Request::Truncate(from, done)).await
    }

    pub async fn purge(&self, upto: u64, mark: Vec<u8>) -> io::Result<()> {
        self.ask(|done| Request::Purge(upto, mark, done)).await
    }

    pub async fn get(&self, slot: Slot) -> io::Result<Option<Vec<u8>>> {
        self.ask(|done| Request::Get(slot, done)).await
    }

    /// Entries of the range in order; fewer than asked if they are large.
    pub async fn read(&self, range: impl RangeBounds<u64>) -> io::Result<Vec<RawEntry>> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        self.ask(|done| Request::Read(range, done)).await
    }

    pub async fn last(&self) -> io::Result<Option<Vec<u8>>> {
        self.ask(Request::Last).await
    }

    /// Closes the file; whatever is asked afterwards fails.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.requests.send(Request::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}
