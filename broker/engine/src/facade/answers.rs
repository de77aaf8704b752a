//! Waiting for the metadata, and reading its answers.

use std::sync::Arc;
use std::time::Duration;
use weir_api::{Error, Result, TopicRef};
use weir_core::cluster::Image;
use weir_types::TopicId;

use super::{LocalEngine, views};

impl LocalEngine {
    /// The first image that satisfies `wanted`, within `timeout`.
    pub(super) async fn await_image(
        &self,
        timeout: Duration,
        wanted: impl FnMut(&Arc<Image>) -> bool,
    ) -> Result<Arc<Image>> {
        let mut images = self.quorum.subscribe();
        match tokio::time::timeout(timeout, images.wait_for(wanted)).await {
            Err(_) => Err(Error::TimedOut),
            Ok(Err(_)) => Err(Error::ShuttingDown),
            Ok(Ok(image)) => Ok(Arc::clone(&image)),
        }
    }

    pub(super) fn topic_id(&self, topic: &TopicRef) -> Result<TopicId> {
        views::find(&self.image(), topic)
            .map(|t| t.id)
            .ok_or_else(|| unknown(topic))
    }
}

/// The error that says that there is no such topic, in the words it was asked in.
pub(super) fn unknown(topic: &TopicRef) -> Error {
    match topic {
        TopicRef::Name(_) => Error::UnknownTopicOrPartition,
        TopicRef::Id(_) => Error::UnknownTopicId,
    }
}
