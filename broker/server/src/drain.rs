//! Before a broker stops: its leaders go elsewhere.

use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use weir_api::Engine;
use weir_engine::quorum::Quorum;

/// How long the hand-off may take; the pod's grace period is longer.
const WITHIN: Duration = Duration::from_secs(45);
const RETRY: Duration = Duration::from_millis(500);

/// Moves every leader that another in-sync replica can take, and says what stays.
pub async fn hand_off(quorum: &Quorum, engine: &dyn Engine) {
    if quorum.broker_epoch().is_none() {
        return;
    }
    let alone = engine
        .cluster()
        .brokers
        .iter()
        .filter(|b| !b.fenced)
        .count()
        <= 1;
    let until = Instant::now() + WITHIN;
    loop {
        match quorum.begin_stop().await {
            Ok(0) => return info!("every leader was handed over"),
            // Nobody is there to take them.
            Ok(left) if alone => return info!("{left} leaders stay: there is no other broker"),
            Ok(left) => {
                let single = single_replicas(engine);
                if usize::try_from(left).is_ok_and(|left| left <= single) {
                    return info!("{left} leaders stay: they have no other replica");
                }
                warn!("{left} leaders wait for another replica to be in sync");
            }
            Err(error) => warn!(%error, "cannot hand leaders over"),
        }
        if Instant::now() > until {
            return warn!("gave up handing leaders over");
        }
        sleep(RETRY).await;
    }
}

/// Partitions that this broker leads and nobody else could.
fn single_replicas(engine: &dyn Engine) -> usize {
    let topics = engine.topics();
    let partitions = topics.iter().flat_map(|t| &t.partitions);
    partitions
        .filter(|p| p.leader == Some(engine.broker()) && p.replicas.len() == 1)
        .count()
}
