//! Partitions of one broker, and of three.

mod acks;
mod cluster;
mod damage;
mod failed;
mod failover;
mod log_ends;
mod metadata;
mod moves;
mod nearest;
mod reads;
mod records;
mod replication;
mod upkeep;
mod whole;
mod writes;

use std::time::Duration;

/// Waits until `condition` gives something; the limit only ends tests that would hang.
async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let look = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, look)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"))
}
