//! Which rack the broker is in, where that is learnt after start.

use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// How long the file may stay empty; after that the broker starts without a rack.
const WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);
/// What the file says if the node has no rack.
const NONE: &str = "-";

/// Waits until `file` names the rack. It is filled in once the pod's node is known.
pub async fn learn(file: &Path) -> Option<String> {
    let until = Instant::now() + WITHIN;
    let mut told = false;
    loop {
        // Not there yet and not readable yet are the same: both end by waiting.
        let text = std::fs::read_to_string(file).unwrap_or_default();
        match text.trim() {
            NONE => return None,
            "" if Instant::now() > until => {
                warn!(file = %file.display(), "no rack was named in time: starting without one");
                return None;
            }
            "" => {
                if !told {
                    info!(file = %file.display(), "waiting to be told the rack");
                    told = true;
                }
                sleep(POLL).await;
            }
            rack => return Some(rack.to_owned()),
        }
    }
}
