//! Keeps an eye on the room that the data folder's volume has.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::{info, warn};
use weir_storage::{RoomState, StorageError};

use super::hub::Hub;

const EVERY: Duration = Duration::from_millis(200);

/// Looks a few times a second until the partitions stop.
pub(super) async fn keep(hub: Arc<Hub>) {
    let mut stopping = hub.stopping.subscribe();
    let mut last = None;
    loop {
        let folder = Arc::clone(&hub.folder);
        let looked = hub.runtime.spawn_blocking(move || folder.watch_room());
        if let Ok(looked) = looked.await {
            last = note(&hub, last, looked);
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            // An error means that everybody is gone, which is a stop as well.
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// Says what changed; gives whether records are refused now.
fn note(hub: &Hub, last: Option<bool>, looked: Result<RoomState, StorageError>) -> Option<bool> {
    let state = match looked {
        Ok(state) => state,
        Err(error) => {
            warn!(%error, "cannot see how much room the data folder has");
            return last;
        }
    };
    let free_bytes = state.free_bytes;
    let metrics = &hub.metrics;
    let free = i64::try_from(free_bytes).unwrap_or(i64::MAX);
    metrics.free_bytes.store(free, Ordering::Relaxed);
    metrics
        .full
        .store(i64::from(state.scarce), Ordering::Relaxed);
    let folder = hub.folder.path().display();
    match (last.unwrap_or(false), state.scarce) {
        (false, true) => {
            warn!(%folder, free_bytes, "the volume is full: records are refused, reads go on");
        }
        (true, false) => {
            info!(%folder, free_bytes, "the volume has room again: records are taken");
        }
        _ => {}
    }
    Some(state.scarce)
}
