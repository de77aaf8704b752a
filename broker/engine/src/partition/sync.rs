//! Group commit: the logs that a cycle covers are synced in parallel, on threads of their own,
//! while the shard goes on appending.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use weir_storage::{RealDisk, SyncDone, SyncJob};
use weir_types::PartitionId;

use super::commands::ShardCommand;
use super::inbox::Inbox;

/// Which opening of which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) partition: PartitionId,
    pub(super) generation: u64,
}

pub(super) struct FinishedCycle {
    pub(super) done: Vec<(Opening, SyncDone)>,
    pub(super) took: Duration,
}

struct Cycle {
    left: AtomicUsize,
    done: Mutex<Vec<(Opening, SyncDone)>>,
    shard: Arc<Inbox<ShardCommand>>,
    began: Instant,
}

struct PoolJob {
    opening: Opening,
    job: SyncJob<RealDisk>,
    cycle: Arc<Cycle>,
}

/// Threads that do nothing but fdatasync.
pub(super) struct SyncPool {
    inbox: Arc<Inbox<PoolJob>>,
    threads: Vec<JoinHandle<()>>,
}

/// What shards hold of it.
#[derive(Clone)]
pub(super) struct SyncQueue(Arc<Inbox<PoolJob>>);

impl SyncPool {
    pub(super) fn start(threads: usize) -> io::Result<Self> {
        let inbox = Arc::new(Inbox::new());
        let start = |index| {
            let inbox = Arc::clone(&inbox);
            std::thread::Builder::new()
                .name(format!("weir-sync-{index}"))
                .spawn(move || {
                    while let Some(job) = inbox.take_one() {
                        run(job);
                    }
                })
        };
        let threads = (0..threads.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok(Self { inbox, threads })
    }

    pub(super) fn queue(&self) -> SyncQueue {
        SyncQueue(Arc::clone(&self.inbox))
    }

    /// Ends once all jobs are done. Blocks.
    pub(super) fn stop(self) {
        self.inbox.close();
        for thread in self.threads {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl SyncQueue {
    /// The shard hears of it once all are done. `jobs` is not empty.
    pub(super) fn begin(
        &self,
        jobs: Vec<(Opening, SyncJob<RealDisk>)>,
        shard: &Arc<Inbox<ShardCommand>>,
    ) {
        let cycle = Arc::new(Cycle {
            left: AtomicUsize::new(jobs.len()),
            done: Mutex::new(Vec::with_capacity(jobs.len())),
            shard: Arc::clone(shard),
            began: Instant::now(),
        });
        for (opening, job) in jobs {
            self.0.push(PoolJob {
                opening,
                job,
                cycle: Arc::clone(&cycle),
            });
        }
    }
}

fn run(job: PoolJob) {
    let PoolJob {
        opening,
        job,
        cycle,
    } = job;
    let done = job.run();
    cycle
        .done
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((opening, done));
    if cycle.left.fetch_sub(1, Ordering::AcqRel) > 1 {
        return;
    }
    let done = std::mem::take(&mut *cycle.done.lock().unwrap_or_else(PoisonError::into_inner));
    let finished = FinishedCycle {
        done,
        took: cycle.began.elapsed(),
    };
    cycle.shard.push(ShardCommand::CycleDone(finished));
}
