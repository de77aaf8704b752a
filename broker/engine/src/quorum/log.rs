//! openraft's log over the [`Store`].

use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::{self, Kind};
use super::store::{Slot, Store};
use super::types::{Entry, LogId, Types, Vote};

/// Entries kept in memory, so that followers get them while the leader's own sync still runs.
const TAIL_MAX: usize = 1024;

/// Log storage and log reader in one; clones share everything.
#[derive(Clone)]
pub struct Log {
    store: Store,
    /// The newest entries, without gaps.
    tail: Arc<Mutex<VecDeque<Entry>>>,
}

impl Log {
    pub fn new(store: Store) -> Self {
        Self {
            store,
            tail: Arc::default(),
        }
    }

    fn tail(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The range's entries, if the tail has them from the first one on.
    fn read_tail(&self, range: &impl RangeBounds<u64>) -> Option<Vec<Entry>> {
        let tail = self.tail();
        let first = tail.front()?.index();
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => return None,
        };
        if start < first {
            return None;
        }
        let wanted = |e: &&Entry| range.contains(&e.index());
        Some(
            tail.iter()
                .skip_while(|e| e.index() < start)
                .take_while(wanted)
                .cloned()
                .collect(),
        )
    }
}

fn decode_entry(raw: &[u8]) -> io::Result<Entry> {
    record::decode(Kind::Entry, raw)
}

async fn get<T: serde::de::DeserializeOwned>(
    store: &Store,
    slot: Slot,
    kind: Kind,
) -> io::Result<Option<T>> {
    let raw = store.get(slot).await?;
    raw.map(|raw| record::decode(kind, &raw)).transpose()
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        if let Some(entries) = self.read_tail(&range) {
            return Ok(entries);
        }
        let mut entries: Vec<Entry> = Vec::new();
        let mut start = range.start_bound().cloned();
        // The store gives large entries in parts.
        loop {
            let part = self.store.read((start, range.end_bound().cloned())).await?;
            let Some((last, _)) = part.last() else { break };
            start = Bound::Excluded(*last);
            for (_, raw) in &part {
                entries.push(decode_entry(raw)?);
            }
        }
        Ok(entries)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        get(&self.store, Slot::Vote, Kind::Vote).await
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let last_purged_log_id: Option<LogId> = get(&self.store, Slot::Purged, Kind::LogId).await?;
        let last = self.store.last().await?;
        let last = last.map(|raw| decode_entry(&raw)).transpose()?;
        let last_log_id = last.map(|entry| entry.log_id()).or(last_purged_log_id);
        Ok(LogState {
            last_purged_log_id,
            last_log_id,
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.store
            .put(Slot::Vote, record::encode(Kind::Vote, vote)?)
            .await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        match committed {
            Some(id) => {
                self.store
                    .put_lazily(Slot::Committed, record::encode(Kind::LogId, &id)?)
                    .await
            }
            None => Ok(()),
        }
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        get(&self.store, Slot::Committed, Kind::LogId).await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let encode = |e: &Entry| Ok((e.index(), record::encode(Kind::Entry, e)?));
        let raw = entries.iter().map(encode).collect::<io::Result<Vec<_>>>()?;
        // Queued first: whoever finds them in the tail may rely on their being in the queue.
        self.store.append(raw, callback).await?;
        let mut tail = self.tail();
        for entry in entries {
            if tail
                .back()
                .is_some_and(|last| last.index() + 1 != entry.index())
            {
                tail.clear();
            }
            tail.push_back(entry);
        }
        let surplus = tail.len().saturating_sub(TAIL_MAX);
        tail.drain(..surplus);
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let from = last_log_id.map_or(0, |id| id.index + 1);
        {
            let mut tail = self.tail();
            let keep = tail.iter().take_while(|e| e.index() < from).count();
            tail.truncate(keep);
        }
        self.store.truncate(from).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        {
            let mut tail = self.tail();
            let gone = tail
                .iter()
                .take_while(|e| e.index() <= log_id.index)
                .count();
            tail.drain(..gone);
        }
        self.store
            .purge(log_id.index, record::encode(Kind::LogId, &log_id)?)
            .await
    }
}
