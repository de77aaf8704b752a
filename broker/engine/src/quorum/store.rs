//! The quorum's file: log, vote, identity and snapshot in one redb database, on its own thread.
//!
//! Writes that wait together share one commit, so one sync covers them.

use openraft::storage::IOFlushed;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::fs::File;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::types::Types;

const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const CACHE_BYTES: usize = 8 * 1024 * 1024;
const QUEUE_MAX: usize = 1024;
/// Requests that share one commit.
const BATCH_MAX: usize = 256;
/// Most bytes that one read gives back; it gives at least one entry.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;

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
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(&path)
            .map_err(io::Error::other)?;
        let create = || -> Result<(), redb::Error> {
            let write = database.begin_write()?;
            write.open_table(LOG)?;
            write.open_table(META)?;
            write.commit()?;
            Ok(())
        };
        create().map_err(io::Error::other)?;
        File::open(&folder)?.sync_all()?;
        if let Some(parent) = folder.parent() {
            File::open(parent)?.sync_all()?;
        }
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let worker = Worker {
            database,
            path,
            lazy: Vec::new(),
            poisoned: None,
        };
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

/// Who waits for a commit.
enum Waiter {
    Flushed(IOFlushed<Types>),
    Done(Done<()>),
}

impl Waiter {
    fn tell(self, outcome: &Result<(), String>) {
        let outcome = outcome.clone().map_err(io::Error::other);
        match self {
            Self::Flushed(flushed) => flushed.io_completed(outcome),
            Self::Done(done) => {
                let _ = done.send(outcome);
            }
        }
    }
}

struct Worker {
    database: Database,
    path: PathBuf,
    lazy: Vec<(Slot, Vec<u8>)>,
    /// A commit failed: nothing is known about the file any more, so nothing is promised.
    poisoned: Option<String>,
}

impl Worker {
    fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX {
                let Ok(next) = queue.try_recv() else { break };
                batch.push(next);
            }
            if let Some(closed) = self.serve(batch) {
                drop(self);
                drop(queue);
                let _ = closed.send(());
                return;
            }
        }
        self.commit(Vec::new());
    }

    /// Serves requests in order: runs of writes in one commit each. Gives back who asked to close.
    fn serve(&mut self, batch: Vec<Request>) -> Option<oneshot::Sender<()>> {
        let mut writes = Vec::new();
        for request in batch {
            match request {
                Request::PutLazily(slot, value) => self.lazy.push((slot, value)),
                Request::Append(..)
                | Request::Put(..)
                | Request::Truncate(..)
                | Request::Purge(..) => writes.push(request),
                Request::Get(slot, done) => {
                    self.commit(std::mem::take(&mut writes));
                    let _ = done.send(self.get(slot).map_err(io::Error::other));
                }
                Request::Read(range, done) => {
                    self.commit(std::mem::take(&mut writes));
                    let _ = done.send(self.read(range).map_err(io::Error::other));
                }
                Request::Last(done) => {
                    self.commit(std::mem::take(&mut writes));
                    let _ = done.send(self.last().map_err(io::Error::other));
                }
                Request::Close(closed) => {
                    self.commit(std::mem::take(&mut writes));
                    return Some(closed);
                }
            }
        }
        if !writes.is_empty() {
            self.commit(writes);
        }
        None
    }

    fn commit(&mut self, writes: Vec<Request>) {
        if writes.is_empty() && self.lazy.is_empty() {
            return;
        }
        let mut waiters = Vec::with_capacity(writes.len());
        let outcome = match &self.poisoned {
            Some(reason) => {
                waiters.extend(writes.into_iter().filter_map(into_waiter));
                Err(reason.clone())
            }
            None => self.write(writes, &mut waiters).map_err(|e| e.to_string()),
        };
        if let (Err(reason), None) = (&outcome, &self.poisoned) {
            error!(path = %self.path.display(), reason, "the metadata cannot be written");
            self.poisoned = Some(reason.clone());
        }
        for waiter in waiters {
            waiter.tell(&outcome);
        }
    }

    fn write(
        &mut self,
        writes: Vec<Request>,
        waiters: &mut Vec<Waiter>,
    ) -> Result<(), redb::Error> {
        let mut writes = writes.into_iter();
        let outcome = self.write_all(&mut writes, waiters);
        // After a failure the rest still has to be told.
        waiters.extend(writes.filter_map(into_waiter));
        outcome
    }

    fn write_all(
        &mut self,
        writes: &mut std::vec::IntoIter<Request>,
        waiters: &mut Vec<Waiter>,
    ) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        for (slot, value) in self.lazy.drain(..) {
            put(&transaction, slot, &value)?;
        }
        for request in writes.by_ref() {
            write_one(&transaction, request, waiters)?;
        }
        Ok(transaction.commit()?)
    }

    fn get(&self, slot: Slot) -> Result<Option<Vec<u8>>, redb::Error> {
        let read = self.database.begin_read()?;
        let found = read.open_table(META)?.get(slot.name())?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn read(&self, range: (Bound<u64>, Bound<u64>)) -> Result<Vec<RawEntry>, redb::Error> {
        let read = self.database.begin_read()?;
        let table = read.open_table(LOG)?;
        let mut out = Vec::new();
        let mut bytes = 0;
        for found in table.range::<u64>(range)? {
            let (index, value) = found?;
            let value = value.value().to_vec();
            bytes += value.len();
            if bytes > READ_BYTES_MAX && !out.is_empty() {
                break;
            }
            out.push((index.value(), value));
        }
        Ok(out)
    }

    fn last(&self) -> Result<Option<Vec<u8>>, redb::Error> {
        let read = self.database.begin_read()?;
        let table = read.open_table(LOG)?;
        Ok(table.last()?.map(|(_, value)| value.value().to_vec()))
    }
}

fn put(transaction: &WriteTransaction, slot: Slot, value: &[u8]) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert(slot.name(), value)?;
    Ok(())
}

fn into_waiter(request: Request) -> Option<Waiter> {
    match request {
        Request::Append(_, flushed) => Some(Waiter::Flushed(flushed)),
        Request::Put(_, _, done) | Request::Truncate(_, done) | Request::Purge(_, _, done) => {
            Some(Waiter::Done(done))
        }
        _ => None,
    }
}

fn write_one(
    transaction: &WriteTransaction,
    request: Request,
    waiters: &mut Vec<Waiter>,
) -> Result<(), redb::Error> {
    match request {
        Request::Append(entries, flushed) => {
            waiters.push(Waiter::Flushed(flushed));
            let mut table = transaction.open_table(LOG)?;
            for (index, value) in &entries {
                table.insert(index, value.as_slice())?;
            }
        }
        Request::Put(slot, value, done) => {
            waiters.push(Waiter::Done(done));
            put(transaction, slot, &value)?;
        }
        Request::Truncate(from, done) => {
            waiters.push(Waiter::Done(done));
            transaction
                .open_table(LOG)?
                .retain_in(from.., |_, _| false)?;
        }
        Request::Purge(upto, mark, done) => {
            waiters.push(Waiter::Done(done));
            put(transaction, Slot::Purged, &mark)?;
            transaction
                .open_table(LOG)?
                .retain_in(..=upto, |_, _| false)?;
        }
        _ => {}
    }
    Ok(())
}
