//! Topics, made and unmade through the quorum.

use std::time::Duration;
use uuid::Uuid;
use weir_api::{Caller, Error, NewTopic, Result, TopicRef, TopicView};
use weir_core::cluster::{self, ClusterCommand, Image};
use weir_types::{BrokerId, PartitionId, TopicId};

use super::{LocalEngine, answers, views, writes};

/// How long the maker of a topic waits for this broker to know it.
const ON_USE_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Growth {
    pub count: i32,
    pub assignments: Option<Vec<Vec<BrokerId>>>,
    pub validate_only: bool,
}

impl LocalEngine {
    pub(super) async fn make_topic(
        &self,
        new: NewTopic,
        validate_only: bool,
        timeout: Duration,
    ) -> Result<TopicView> {
        let id = TopicId(Uuid::new_v4());
        let command = ClusterCommand::CreateTopic(resolve(&self.image(), id, new, validate_only)?);
        if validate_only {
            return self.preview(command);
        }
        self.propose(command).await?;
        let image = self
            .await_image(timeout, |image| image.topics.contains_key(&id))
            .await?;
        let made = image.topics.get(&id).ok_or(Error::UnknownTopicId)?;
        Ok(views::topic(&image, made))
    }

    /// What the topic would look like, without asking the quorum for it.
    fn preview(&self, command: ClusterCommand) -> Result<TopicView> {
        let ClusterCommand::CreateTopic(mut new) = command else {
            return Err(Error::Internal("not a new topic".to_owned()));
        };
        new.validate_only = false;
        let (id, name) = (new.id, new.name.clone());
        let (image, outcome) = self.image().apply(&ClusterCommand::CreateTopic(new));
        outcome.map_err(super::errors::from_cluster)?;
        let made = image.topics.get(&id).ok_or(Error::InvalidTopic(name))?;
        Ok(views::topic(&image, made))
    }

    pub(super) async fn make_topic_on_use(
        &self,
        _caller: &Caller,
        name: &str,
    ) -> Result<TopicView> {
        let image = self.image();
        if let Some(found) = image.topic_by_name(name) {
            return Ok(views::topic(&image, found));
        }
        if image.broker_config("auto.create.topics.enable") != Some("true") {
            return Err(Error::UnknownTopicOrPartition);
        }
        let new = NewTopic {
            name: name.to_owned(),
            partitions: -1,
            replication_factor: -1,
            assignments: None,
            config: std::collections::BTreeMap::new(),
            owner: None,
        };
        match self.make_topic(new, false, ON_USE_WITHIN).await {
            // Somebody else used it first.
            Err(Error::TopicExists) => {
                let known = |image: &std::sync::Arc<Image>| image.topic_by_name(name).is_some();
                let image = self.await_image(ON_USE_WITHIN, known).await?;
                let found = image
                    .topic_by_name(name)
                    .ok_or(Error::UnknownTopicOrPartition)?;
                Ok(views::topic(&image, found))
            }
            other => other,
        }
    }

    pub(super) async fn remove_topic(&self, topic: &TopicRef, timeout: Duration) -> Result<()> {
        let id = self.own_topic(topic)?;
        self.propose(ClusterCommand::DeleteTopic { topic: id })
            .await?;
        self.await_image(timeout, |image| !image.topics.contains_key(&id))
            .await
            .map(drop)
    }

    pub(super) async fn grow_topic(
        &self,
        topic: &TopicRef,
        growth: Growth,
        timeout: Duration,
    ) -> Result<()> {
        let id = self.own_topic(topic)?;
        let Growth {
            count,
            assignments,
            validate_only,
        } = growth;
        let seed = seed();
        let command = ClusterCommand::CreatePartitions {
            topic: id,
            count,
            assignments,
            seed,
            validate_only,
        };
        self.propose(command).await?;
        if validate_only {
            return Ok(());
        }
        let last = PartitionId::new(id, count - 1);
        self.await_image(timeout, |image| image.partition(last).is_some())
            .await
            .map(drop)
    }

    /// A topic that clients may change.
    fn own_topic(&self, topic: &TopicRef) -> Result<TopicId> {
        let image = self.image();
        let found = views::find(&image, topic).ok_or_else(|| answers::unknown(topic))?;
        if found.internal {
            Err(writes::internal_topic())
        } else {
            Ok(found.id)
        }
    }

    pub(super) async fn give_back_leaders(
        &self,
        partitions: Option<Vec<(TopicRef, i32)>>,
    ) -> Result<u32> {
        let image = self.image();
        let resolve = |(topic, index): (TopicRef, i32)| {
            let found = views::find(&image, &topic).ok_or_else(|| answers::unknown(&topic))?;
            Ok::<_, Error>(PartitionId::new(found.id, index))
        };
        let partitions = match partitions {
            None => None,
            Some(named) => Some(named.into_iter().map(resolve).collect::<Result<Vec<_>>>()?),
        };
        match self
            .propose(ClusterCommand::ElectPreferred { partitions })
            .await?
        {
            cluster::ClusterReply::Elected(changed) => Ok(changed),
            other => Err(Error::Internal(format!("unexpected answer {other:?}"))),
        }
    }
}

/// Fills in what the cluster's defaults decide.
fn resolve(
    image: &Image,
    id: TopicId,
    new: NewTopic,
    validate_only: bool,
) -> Result<cluster::NewTopic> {
    let default = |key: &str| image.broker_config(key).and_then(|v| v.parse::<i32>().ok());
    let partitions = match new.partitions {
        -1 if new.assignments.is_none() => default("num.partitions").unwrap_or(1),
        given => given,
    };
    let replication_factor = match new.replication_factor {
        -1 if new.assignments.is_none() => default("default.replication.factor")
            .and_then(|n| i16::try_from(n).ok())
            .unwrap_or(1),
        given => given,
    };
    if weir_types::INTERNAL_TOPICS.contains(&new.name.as_str()) {
        return Err(Error::InvalidTopic(format!("{} is internal", new.name)));
    }
    Ok(cluster::NewTopic {
        id,
        name: new.name,
        internal: false,
        partitions,
        replication_factor,
        assignments: new.assignments,
        config: new.config,
        owner: new.owner.map(views::owner_in),
        seed: seed(),
        validate_only,
    })
}

fn seed() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_internal_topics_are_not_for_clients() {
        let resolved = |name: &str| {
            let new = NewTopic {
                name: name.to_owned(),
                partitions: 1,
                replication_factor: 1,
                assignments: None,
                config: std::collections::BTreeMap::new(),
                owner: None,
            };
            resolve(&Image::default(), TopicId(Uuid::nil()), new, false).map(|new| new.name)
        };
        for name in [
            "__consumer_offsets",
            "__transaction_state",
            "__share_group_state",
            "__cluster_metadata",
        ] {
            let refused = resolved(name);
            assert!(
                matches!(refused, Err(Error::InvalidTopic(_))),
                "{refused:?}"
            );
        }
        assert_eq!(resolved("__mine"), Ok("__mine".to_owned()));
    }
}
