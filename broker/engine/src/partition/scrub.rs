//! Walks over all sealed segments, slowly, and verifies what they hold.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{info, warn};
use weir_storage::Verified;

use super::commands::ShardCommand;
use super::hub::Hub;
use super::metrics::add;
use super::shared::Shared;

/// How soon a wait notices that the partitions stop.
const NAP: Duration = Duration::from_millis(50);

pub(super) fn start(hub: &Arc<Hub>) -> io::Result<JoinHandle<()>> {
    let hub = Arc::clone(hub);
    std::thread::Builder::new()
        .name("weir-scrub".to_owned())
        .spawn(move || {
            if hub.config.scrub_bytes_per_second > 0 {
                walks(&hub);
            }
        })
}

fn walks(hub: &Hub) {
    let mut pause = hub.config.scrub_after;
    while rest_until(hub, Instant::now() + pause) {
        let mut pace = Pace::new(hub.config.scrub_bytes_per_second);
        for shared in hub.table.all() {
            if !walk(hub, &shared, &mut pace) {
                return;
            }
        }
        if pace.bytes > 0 {
            info!(bytes = pace.bytes, "every sealed segment was verified");
        }
        pause = hub.config.scrub_pause;
    }
}

/// False: the partitions stop.
fn walk(hub: &Hub, shared: &Shared, pace: &mut Pace) -> bool {
    for base in shared.reader.sealed() {
        let go_on = |bytes: usize| {
            add(&hub.metrics.scrubbed_bytes, bytes);
            pace.took(hub, bytes)
        };
        match shared.reader.verify_sealed(base, go_on) {
            Ok(Verified::Sound | Verified::Gone) => {}
            Ok(Verified::Stopped) => return false,
            Ok(Verified::Invalid(what)) => {
                warn!(partition = %shared.id, segment = %base, what, "a sealed segment looks damaged");
                hub.send(shared.id, ShardCommand::Doubt(shared.id, base));
            }
            Err(error) => {
                warn!(partition = %shared.id, segment = %base, %error, "a sealed segment cannot be opened");
            }
        }
    }
    !hub.is_stopping()
}

/// Keeps the average under a rate.
struct Pace {
    began: Instant,
    bytes: u64,
    bytes_per_second: u64,
}

impl Pace {
    fn new(bytes_per_second: u64) -> Self {
        Self {
            began: Instant::now(),
            bytes: 0,
            bytes_per_second,
        }
    }

    /// Waits for as long as that many bytes should have taken; false: the partitions stop.
    fn took(&mut self, hub: &Hub, bytes: usize) -> bool {
        self.bytes += bytes as u64;
        let seconds = self.bytes as f64 / self.bytes_per_second as f64;
        rest_until(hub, self.began + Duration::from_secs_f64(seconds))
    }
}

/// False: the partitions stop.
fn rest_until(hub: &Hub, until: Instant) -> bool {
    loop {
        if hub.is_stopping() || hub.failure().is_some() {
            return false;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(NAP));
    }
}
