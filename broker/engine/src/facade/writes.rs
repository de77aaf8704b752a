//! Writes of clients: everything but the broker's own topics.

use weir_api::{Error, ProduceRequest, Produced, Result, TopicRef};
use weir_core::cluster::Image;

use super::{LocalEngine, views};

impl LocalEngine {
    /// Refuses what is meant for internal topics and hands the rest on, in order.
    pub(super) async fn submit_for_client(&self, mut request: ProduceRequest) -> Produced {
        let image = self.image();
        let refused: Vec<bool> = request
            .partitions
            .iter()
            .map(|p| is_internal(&image, &p.topic))
            .collect();
        if !refused.contains(&true) {
            return self.partitions.submit(request).await;
        }
        let mut places = refused.iter();
        request.partitions.retain(|_| places.next() == Some(&false));
        let rest = self.partitions.submit(request).await;
        Box::pin(async move {
            let mut answers = rest.await.into_iter();
            let answer = |internal: bool| {
                if internal {
                    Err(internal_topic())
                } else {
                    answers.next().unwrap_or_else(lost)
                }
            };
            refused.into_iter().map(answer).collect()
        })
    }
}

fn is_internal(image: &Image, topic: &TopicRef) -> bool {
    views::find(image, topic).is_some_and(|t| t.internal)
}

/// What a client hears who touches the broker's own topics.
pub(super) fn internal_topic() -> Error {
    Error::InvalidTopic("the topic is internal".to_owned())
}

fn lost<T>() -> Result<T> {
    Err(Error::Internal("no answer to a write".to_owned()))
}
