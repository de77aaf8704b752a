//! How fast a fetcher may go on with replicas that are being filled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use weir_types::{BrokerId, Offset, PartitionId};

use super::super::commands::{FetchOutcome, FetchedItem};
use super::super::hub::Hub;
use super::super::throttle::Limits;

/// How soon a throttled partition is looked at again: the limit may be another one by then.
const THROTTLED_MAX: Duration = Duration::from_millis(500);

/// The limits of what is fetched from one leader.
pub(super) struct Pace {
    hub: Arc<Hub>,
    leader: BrokerId,
}

impl Pace {
    pub(super) fn new(hub: Arc<Hub>, leader: BrokerId) -> Self {
        Self { hub, leader }
    }

    /// Counts the bytes of replicas that are being filled; which those are, and how far they have
    /// to come: the high watermark.
    pub(super) fn charge(&self, items: &[FetchedItem]) -> HashMap<PartitionId, Offset> {
        let image = self.hub.metadata.image();
        let Some(limits) = Limits::of(&image, self.hub.config.broker, self.leader) else {
            return HashMap::new();
        };
        let now = self.hub.clock.now();
        let mut throttled = HashMap::new();
        for item in items {
            let counted = limits.counted(&image, item.partition);
            if let FetchOutcome::Records {
                bytes,
                high_watermark,
                ..
            } = &item.outcome
                && counted.any()
                && !bytes.is_empty()
            {
                let throttle = &self.hub.throttle;
                throttle.charge(&limits, now, counted, bytes.len());
                throttled.insert(item.partition, *high_watermark);
            }
        }
        throttled
    }

    /// How long nothing more may be asked for.
    pub(super) fn pause(&self) -> Option<Duration> {
        let image = self.hub.metadata.image();
        let limits = Limits::of(&image, self.hub.config.broker, self.leader)?;
        let pause = self.hub.throttle.pause(&limits, self.hub.clock.now())?;
        Some(pause.min(THROTTLED_MAX))
    }

    /// Whether a partition is limited now: not once it has come to be in sync.
    pub(super) fn counts(&self) -> impl Fn(PartitionId) -> bool + use<> {
        let image = self.hub.metadata.image();
        let limits = Limits::of(&image, self.hub.config.broker, self.leader);
        move |id| limits.is_some_and(|l| l.counted(&image, id).any())
    }
}
