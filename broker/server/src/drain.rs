//! Before a broker stops: its leaders go elsewhere.

use std::time::Duration;
use tokio::time::sleep;
use tracing::{info, warn};
use weir_api::Engine;
use weir_engine::quorum::Quorum;

/// How long the hand-off may take; the pod's grace period is longer.
const WITHIN: Duration = Duration::from_secs(45);
const RETRY: Duration = Duration::from_millis(500);
/// How long clients are answered afterwards. They hear who leads now and go there, while this broker
/// is still in the metadata; librdkafka waits for its next refresh, a second away, if a broker is
/// gone before its partitions have moved.
const LINGER: Duration = Duration::from_secs(1);

/// Moves every leader that another replica can take, and says what stays. Waits for replicas that
/// may still get in sync, and for nobody else.
pub async fn hand_off(quorum: &Quorum, engine: &dyn Engine) {
    if quorum.broker_epoch().is_none() {
        return;
    }
    tokio::select! {
        () = hand_over(quorum, engine) => {}
        // When all stop at once, the last has no majority left that could answer it.
        () = quorum.without_heirs() => info!("leaders stay: nobody is left to take them"),
        () = sleep(WITHIN) => warn!("gave up handing leaders over"),
    }
}

/// Asks until nothing is left that somebody could take.
async fn hand_over(quorum: &Quorum, engine: &dyn Engine) {
    loop {
        match quorum.begin_stop().await {
            Ok(0) => {
                info!("every leader was handed over");
                return sleep(LINGER).await;
            }
            Ok(left) if !quorum.has_heirs() => {
                return info!("{left} leaders stay: no other replica is there to take them");
            }
            Ok(left) => warn!("{left} leaders wait for another replica to be in sync"),
            // One that was taken out of the cluster has nothing left, and nobody who hears it.
            Err(error) if leads_nothing(engine) => {
                return info!(%error, "there are no leaders to hand over");
            }
            Err(error) => warn!(%error, "cannot hand leaders over"),
        }
        sleep(RETRY).await;
    }
}

fn leads_nothing(engine: &dyn Engine) -> bool {
    let topics = engine.topics();
    let mut partitions = topics.iter().flat_map(|t| &t.partitions);
    !partitions.any(|p| p.leader == Some(engine.broker()))
}
