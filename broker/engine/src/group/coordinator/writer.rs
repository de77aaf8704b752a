use std::{collections::VecDeque, future::Future, pin::Pin, sync::Arc};
use weir_api::Result;
use weir_core::group::{Committed, OffsetKey, PersistId};
use weir_types::{LeaderEpoch, PartitionId};

use super::command::Reply;
use crate::group::log::{LogRecord, OffsetsLog};

/// Some records that belong together, and what follows from them.
pub(super) struct Write {
    pub group: String,
    pub records: Vec<LogRecord>,
    pub done: Done,
}

/// Outcomes as if all were written, and who waits for them.
pub(super) type Pending = (Vec<Result<()>>, Reply<Vec<Result<()>>>);

/// What is done once records are written, or failed to be.
pub(super) enum Done {
    Persisted(PersistId),
    Committed {
        entries: Vec<(OffsetKey, Committed)>,
        /// An outcome for each partition that was asked for, as if all were written.
        outcomes: Vec<Result<()>>,
        reply: Reply<Vec<Result<()>>>,
    },
    OffsetsDeleted {
        keys: Vec<OffsetKey>,
        reply: Option<Pending>,
    },
    GroupDeleted {
        keys: Vec<OffsetKey>,
        reply: Option<Reply<()>>,
    },
}

type Append = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Writes in the order in which they were asked for, one append at a time: what comes while one
/// is under way goes out together in the next.
pub(super) struct Writer {
    log: Arc<dyn OffsetsLog>,
    partition: PartitionId,
    epoch: LeaderEpoch,
    queue: VecDeque<Write>,
    queued_bytes: usize,
    append_bytes: usize,
    append: Option<Append>,
    appending: Vec<Write>,
}

impl Writer {
    pub fn new(
        log: Arc<dyn OffsetsLog>,
        partition: PartitionId,
        epoch: LeaderEpoch,
        append_bytes: usize,
    ) -> Self {
        Self {
            log,
            partition,
            epoch,
            queue: VecDeque::new(),
            queued_bytes: 0,
            append_bytes,
            append: None,
            appending: Vec::new(),
        }
    }

    pub fn push(&mut self, write: Write) {
        self.queued_bytes += bytes_of(&write);
        self.queue.push_back(write);
    }

    /// Bytes that wait for the append under way.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Begins the next append if there is something to write and none is under way.
    pub fn start(&mut self) {
        if self.append.is_some() || self.queue.is_empty() {
            return;
        }
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(write) = self.queue.front_mut() {
            let more = bytes_of(write);
            if bytes > 0 && bytes + more > self.append_bytes {
                break;
            }
            bytes += more;
            records.append(&mut write.records);
            self.appending.extend(self.queue.pop_front());
        }
        self.queued_bytes -= bytes;
        let log = Arc::clone(&self.log);
        let (partition, epoch) = (self.partition, self.epoch);
        self.append = Some(Box::pin(async move {
            log.append(partition, epoch, records).await
        }));
    }

    /// Waits for the append under way; never resolves without one. Cancel-safe.
    pub async fn finished(&mut self) -> (Vec<Write>, Result<()>) {
        let Some(append) = &mut self.append else {
            return std::future::pending().await;
        };
        let result = append.await;
        self.append = None;
        (std::mem::take(&mut self.appending), result)
    }
}

fn bytes_of(write: &Write) -> usize {
    write.records.iter().map(LogRecord::len).sum()
}
