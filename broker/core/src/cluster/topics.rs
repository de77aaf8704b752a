//! Topics come, grow and go.

use imbl::OrdMap;
use std::sync::Arc;
use weir_types::{BrokerId, LeaderEpoch, PartitionEpoch, PartitionId, TopicId, limits};

use super::apply::Outcome;
use super::{
    ClusterError, ClusterReply, ConfigResource, Image, NewTopic, Partition, Topic, TopicOwner,
    configs, placement,
};

pub(super) struct Growth<'a> {
    pub count: i32,
    pub assignments: Option<&'a [Vec<BrokerId>]>,
    pub seed: u64,
    pub validate_only: bool,
}

pub(super) fn create(image: &mut Image, new: &NewTopic) -> Outcome {
    validate_name(&new.name)?;
    if image.topic_names.contains_key(&new.name) {
        return Err(ClusterError::TopicExists(new.name.clone()));
    }
    refuse_collision(image, &new.name)?;
    let replicas = match &new.assignments {
        Some(chosen) => {
            validate_assignments(image, chosen, None)?;
            chosen.clone()
        }
        None => place_new(image, new)?,
    };
    configs::validate_topic(&new.config, new.internal)?;
    if !new.validate_only {
        let topic = Topic {
            id: new.id,
            name: new.name.clone(),
            internal: new.internal,
            partitions: replicas.into_iter().map(fresh_partition).collect(),
            config: new
                .config
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            owner: new.owner.clone(),
        };
        image.topic_names.insert(topic.name.clone(), topic.id);
        image.topics.insert(topic.id, Arc::new(topic));
    }
    Ok(ClusterReply::TopicCreated(new.id))
}

fn place_new(image: &Image, new: &NewTopic) -> Result<Vec<Vec<BrokerId>>, ClusterError> {
    let count = validate_count(new.partitions)?;
    let factor = usize::try_from(new.replication_factor).unwrap_or(0);
    if factor > limits::REPLICAS_MAX {
        return Err(ClusterError::InvalidReplicationFactor(format!(
            "{factor} is more than {}",
            limits::REPLICAS_MAX
        )));
    }
    placement::place(image, count, factor, new.seed)
}

pub(super) fn delete(image: &mut Image, topic: TopicId) -> Outcome {
    let found = image
        .topics
        .remove(&topic)
        .ok_or(ClusterError::UnknownTopic(topic))?;
    image.topic_names.remove(&found.name);
    for (index, _) in (0..).zip(&found.partitions) {
        let id = PartitionId::new(topic, index);
        image.reassignments.remove(&id);
        image.awaited_ends.remove(&id);
    }
    image.configs.remove(&ConfigResource::Topic(topic));
    Ok(ClusterReply::Done)
}

pub(super) fn grow(image: &mut Image, id: TopicId, growth: &Growth<'_>) -> Outcome {
    let topic = image
        .topics
        .get(&id)
        .ok_or(ClusterError::UnknownTopic(id))?;
    let count = validate_count(growth.count)?;
    let have = topic.partitions.len();
    if count <= have {
        return Err(ClusterError::InvalidPartitions(format!(
            "topic {} has {have} partitions; it can only grow, not to {count}",
            topic.name
        )));
    }
    let factor = match image.reassignments.get(&PartitionId::new(id, 0)) {
        Some(moving) => moving.target.len(),
        None => topic.partitions.first().map_or(1, |p| p.replicas.len()),
    };
    let added = match growth.assignments {
        Some(chosen) if chosen.len() != count - have => {
            return Err(ClusterError::InvalidAssignment(format!(
                "{} assignments for {} new partitions",
                chosen.len(),
                count - have
            )));
        }
        Some(chosen) => {
            validate_assignments(image, chosen, Some(factor))?;
            chosen.to_vec()
        }
        None => placement::place(image, count - have, factor, growth.seed)?,
    };
    if !growth.validate_only
        && let Some(topic) = image.topics.get_mut(&id)
    {
        Arc::make_mut(topic)
            .partitions
            .extend(added.into_iter().map(fresh_partition));
    }
    Ok(ClusterReply::Done)
}

pub(super) fn set_owner(image: &mut Image, id: TopicId, owner: Option<&TopicOwner>) -> Outcome {
    let topic = image
        .topics
        .get_mut(&id)
        .ok_or(ClusterError::UnknownTopic(id))?;
    Arc::make_mut(topic).owner = owner.cloned();
    Ok(ClusterReply::Done)
}

fn fresh_partition(replicas: Vec<BrokerId>) -> Partition {
    Partition {
        isr: replicas.clone(),
        elr: Vec::new(),
        leader: replicas.first().copied(),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
        last_leader: None,
        replicas,
    }
}

fn validate_count(count: i32) -> Result<usize, ClusterError> {
    if !(1..=limits::TOPIC_PARTITIONS_MAX).contains(&count) {
        return Err(ClusterError::InvalidPartitions(format!(
            "{count} is not within 1 to {}",
            limits::TOPIC_PARTITIONS_MAX
        )));
    }
    usize::try_from(count).map_err(|_| ClusterError::InvalidPartitions(count.to_string()))
}

fn validate_assignments(
    image: &Image,
    chosen: &[Vec<BrokerId>],
    factor: Option<usize>,
) -> Result<(), ClusterError> {
    let refuse = |why: String| Err(ClusterError::InvalidAssignment(why));
    let most = usize::try_from(limits::TOPIC_PARTITIONS_MAX).unwrap_or(usize::MAX);
    if chosen.is_empty() || chosen.len() > most {
        return refuse(format!("{} partitions", chosen.len()));
    }
    let factor = factor.unwrap_or(chosen[0].len());
    for replicas in chosen {
        if replicas.is_empty() || replicas.len() != factor || factor > limits::REPLICAS_MAX {
            return refuse(format!("{} replicas, expected {factor}", replicas.len()));
        }
        for (rank, broker) in replicas.iter().enumerate() {
            if replicas[..rank].contains(broker) {
                return refuse(format!("broker {broker} stands twice"));
            }
            if !image.is_live(*broker) {
                return refuse(format!("broker {broker} is not available"));
            }
            if image.is_cordoned(*broker) {
                return refuse(format!("broker {broker} is cordoned"));
            }
        }
    }
    Ok(())
}

/// Kafka's rule: 1 to 249 of `[a-zA-Z0-9._-]`, neither `.` nor `..`.
fn validate_name(name: &str) -> Result<(), ClusterError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let refuse = |why: &str| Err(ClusterError::InvalidTopicName(format!("{name:?} {why}")));
    if name.is_empty() || name.len() > limits::TOPIC_NAME_BYTES_MAX {
        return refuse("is not 1 to 249 characters long");
    }
    if name == "." || name == ".." {
        return refuse("is not allowed");
    }
    if !name.chars().all(legal) {
        return refuse("has characters other than ASCII letters, digits, '.', '_' and '-'");
    }
    Ok(())
}

/// Kafka's rule: names that differ in nothing but `.` and `_` exclude each other, since metrics
/// know both as `_`.
fn refuse_collision(image: &Image, name: &str) -> Result<(), ClusterError> {
    let unified = |c: char| if c == '.' { '_' } else { c };
    if !name.contains(['.', '_']) {
        return Ok(());
    }
    let collides = |other: &&String| {
        other.len() == name.len() && other.chars().map(unified).eq(name.chars().map(unified))
    };
    match image.topic_names.keys().find(collides) {
        Some(other) => Err(ClusterError::InvalidTopicName(format!(
            "{name:?} collides with {other:?}: '.' and '_' count as the same"
        ))),
        None => Ok(()),
    }
}

pub(super) fn config_of(image: &mut Image, id: TopicId) -> Option<&mut OrdMap<String, String>> {
    image
        .topics
        .get_mut(&id)
        .map(|t| &mut Arc::make_mut(t).config)
}
