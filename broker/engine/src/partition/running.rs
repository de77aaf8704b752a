//! The threads and tasks of the partitions, and how they end.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use weir_storage::StorageError;

use super::Partitions;
use super::commands::ShardCommand;
use super::hub::Hub;
use super::inbox::Inbox;
use super::sync::SyncPool;

pub(super) struct Running {
    pub(super) shards: Vec<JoinHandle<()>>,
    pub(super) upkeep: Vec<JoinHandle<()>>,
    pub(super) syncs: SyncPool,
    pub(super) tasks: [tokio::task::JoinHandle<()>; 3],
}

impl Partitions {
    /// Refuses new writes, syncs all logs, and marks the folder as closed in order. Called twice,
    /// the second call does nothing.
    ///
    /// # Errors
    /// The folder could not be marked; the next start recovers as after a crash.
    pub async fn stop(&self) -> std::result::Result<(), StorageError> {
        self.hub.stopping.send_replace(true);
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(Running {
            shards,
            upkeep,
            syncs,
            tasks,
        }) = running
        else {
            return Ok(());
        };
        for task in tasks {
            // They end by themselves.
            let _ = task.await;
        }
        self.hub.followers.join().await;
        let stop = |inbox: &Arc<Inbox<ShardCommand>>| {
            let (stopped, done) = oneshot::channel();
            inbox.push(ShardCommand::Stop(stopped));
            done
        };
        for done in self.hub.inboxes.iter().map(stop).collect::<Vec<_>>() {
            // A shard that is gone has nothing left to sync.
            let _ = done.await;
        }
        let hub = Arc::clone(&self.hub);
        let threads = shards.into_iter().chain(upkeep).collect();
        let closed = self
            .hub
            .runtime
            .spawn_blocking(move || close(&hub, threads, syncs));
        closed.await.unwrap_or(Ok(()))
    }
}

fn close(
    hub: &Hub,
    threads: Vec<JoinHandle<()>>,
    syncs: SyncPool,
) -> std::result::Result<(), StorageError> {
    hub.upkeep.close();
    for thread in threads {
        // One that panicked has said so already.
        let _ = thread.join();
    }
    syncs.stop();
    match hub.failure() {
        Some(_) => Ok(()),
        None => hub.folder.mark_clean(),
    }
}
