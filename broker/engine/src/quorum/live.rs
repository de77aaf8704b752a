//! From when on this broker's metadata are of today.

use std::sync::Arc;
use weir_core::cluster::Image;

use super::handle::Quorum;

impl Quorum {
    /// Waits until the image knows this process as a broker that may lead. Until then it may be one
    /// of the past: a broker that starts again reads how it was once registered before it reads of
    /// the topics made since. Never returns if it never will be. Cancel-safe.
    pub async fn live(&self) {
        let broker = self.shared.config.broker;
        if let Ok(epoch) = self.registered().await {
            let of_this_process = |image: &Arc<Image>| {
                image.is_live(broker)
                    && image.brokers.get(&broker).is_some_and(|b| b.epoch == epoch)
            };
            if self.subscribe().wait_for(of_this_process).await.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }
}
