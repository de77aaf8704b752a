//! The thread that has the database.

use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};
use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::{LOG, META, Opener, RawEntry, Request, Slot};

/// Requests that share one commit.
const BATCH_MAX: usize = 256;
/// Most bytes that one read gives back; it gives at least one entry.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a full volume is waited for: the folder's reserve is given up within a part of it.
const ROOM_WITHIN: Duration = Duration::from_secs(3);
const LOOK_FOR_ROOM: Duration = Duration::from_millis(50);

pub(super) struct Worker {
    open: Opener,
    /// None once a write failed: redb asks for the file to be opened again.
    database: Option<Database>,
    lazy: Vec<(Slot, Vec<u8>)>,
    /// A commit failed: nothing is known about the file any more, so nothing is promised.
    poisoned: Option<String>,
}

impl Worker {
    /// Opens the database and makes its tables if they are not there.
    pub(super) fn new(open: Opener) -> Result<Self, redb::Error> {
        let database = open()?;
        let write = database.begin_write()?;
        write.open_table(LOG)?;
        write.open_table(META)?;
        write.commit()?;
        Ok(Self {
            open,
            database: Some(database),
            lazy: Vec::new(),
            poisoned: None,
        })
    }

    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
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
        let outcome = match &self.poisoned {
            Some(reason) => Err(reason.clone()),
            None => self.write_with_room(&writes).map_err(|e| e.to_string()),
        };
        match &outcome {
            Ok(()) => self.lazy.clear(),
            Err(_) if self.poisoned.is_some() => {}
            Err(reason) => {
                error!(reason, "the metadata cannot be written");
                self.poisoned = Some(reason.clone());
            }
        }
        for request in writes {
            tell(request, outcome.clone().map_err(io::Error::other));
        }
    }

    /// Writes; again, and on a file that is opened again, if the volume was full. What a commit that
    /// failed has left of itself does no harm: the same requests in the same order end the same.
    fn write_with_room(&mut self, writes: &[Request]) -> Result<(), redb::Error> {
        let deadline = Instant::now() + ROOM_WITHIN;
        let mut told = false;
        loop {
            match self.write(writes) {
                Err(error) if is_full(&error) && Instant::now() < deadline => {
                    if !std::mem::replace(&mut told, true) {
                        warn!(%error, "the metadata waits for room");
                    }
                    self.database = None;
                    thread::sleep(LOOK_FOR_ROOM);
                }
                outcome => return outcome,
            }
        }
    }

    fn write(&mut self, writes: &[Request]) -> Result<(), redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.open)()?,
        };
        let transaction = self.database.insert(database).begin_write()?;
        for (slot, value) in &self.lazy {
            put(&transaction, *slot, value)?;
        }
        for request in writes {
            write_one(&transaction, request)?;
        }
        Ok(transaction.commit()?)
    }

    fn opened(&self) -> Result<&Database, redb::Error> {
        self.database.as_ref().ok_or(redb::Error::PreviousIo)
    }

    fn get(&self, slot: Slot) -> Result<Option<Vec<u8>>, redb::Error> {
        let read = self.opened()?.begin_read()?;
        let found = read.open_table(META)?.get(slot.name())?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn read(&self, range: (Bound<u64>, Bound<u64>)) -> Result<Vec<RawEntry>, redb::Error> {
        let read = self.opened()?.begin_read()?;
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
        let read = self.opened()?.begin_read()?;
        let table = read.open_table(LOG)?;
        Ok(table.last()?.map(|(_, value)| value.value().to_vec()))
    }
}

fn put(transaction: &WriteTransaction, slot: Slot, value: &[u8]) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert(slot.name(), value)?;
    Ok(())
}

fn is_full(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(error) if error.kind() == ErrorKind::StorageFull)
}

fn tell(request: Request, outcome: io::Result<()>) {
    match request {
        Request::Append(_, flushed) => flushed.io_completed(outcome),
        Request::Put(_, _, done) | Request::Truncate(_, done) | Request::Purge(_, _, done) => {
            let _ = done.send(outcome);
        }
        _ => {}
    }
}

fn write_one(transaction: &WriteTransaction, request: &Request) -> Result<(), redb::Error> {
    match request {
        Request::Append(entries, _) => {
            let mut table = transaction.open_table(LOG)?;
            for (index, value) in entries {
                table.insert(index, value.as_slice())?;
            }
        }
        Request::Put(slot, value, _) => put(transaction, *slot, value)?,
        Request::Truncate(from, _) => {
            transaction
                .open_table(LOG)?
                .retain_in(*from.., |_, _| false)?;
        }
        Request::Purge(upto, mark, _) => {
            put(transaction, Slot::Purged, mark)?;
            transaction
                .open_table(LOG)?
                .retain_in(..=*upto, |_, _| false)?;
        }
        _ => {}
    }
    Ok(())
}
