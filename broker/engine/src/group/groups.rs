use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicBool};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use weir_api::{Caller, Error, Result};
use weir_core::cluster::{ClusterCommand, Image};
use weir_types::{BrokerId, PartitionId, limits};

use super::slots::Slots;
use super::topic::{OFFSETS_TOPIC, new_offsets_topic, partition_for, replicas_now};
use super::{GroupsConfig, OffsetsLog};

/// How often coordinators that did not hear of a deleted topic are told again.
const RETRY: Duration = Duration::from_millis(200);

/// The group coordinator of this broker. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub log: Arc<dyn OffsetsLog>,
    pub config: Arc<GroupsConfig>,
    pub slots: Slots,
    /// Somebody is creating the offsets topic.
    creating: AtomicBool,
    /// Since when brokers are missing that should hold the offsets topic.
    short_since: Mutex<Option<Instant>>,
    stop: watch::Sender<bool>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

/// Deleted topics, and the coordinators that do not know yet.
struct Deletion {
    names: Arc<[String]>,
    left: BTreeSet<PartitionId>,
}

impl Groups {
    /// Begins to coordinate whatever groups belong to this broker, over any log.
    pub fn over(log: Arc<dyn OffsetsLog>, config: GroupsConfig) -> Self {
        let inner = Arc::new(Inner {
            log,
            config: Arc::new(config),
            slots: Slots::default(),
            creating: AtomicBool::new(false),
            short_since: Mutex::new(None),
            stop: watch::channel(false).0,
            follower: Mutex::new(None),
        });
        let follower = tokio::spawn(follow(Arc::clone(&inner)));
        *inner
            .follower
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(follower);
        Self { inner }
    }

    /// Stops every coordinator: who waits is told to look elsewhere.
    pub async fn stop(&self) {
        self.inner.stop.send_replace(true);
        let follower = self
            .inner
            .follower
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(follower) = follower {
            let _ = follower.await;
        }
    }

    /// Which broker coordinates the group; creates `__consumer_offsets` on first use.
    ///
    /// # Errors
    /// `CoordinatorNotAvailable` as long as the topic, or the partition's leader, is not there.
    pub async fn find_coordinator(&self, _caller: &Caller, group: &str) -> Result<BrokerId> {
        check_group_id(group)?;
        let mut metadata = self.inner.log.metadata();
        let image = metadata.borrow_and_update().clone();
        if let Some(broker) = coordinator_of(&image, group)? {
            return Ok(broker);
        }
        self.inner.create_offsets_topic(&image).await?;
        let found = async {
            loop {
                let image = metadata.borrow_and_update().clone();
                if let Ok(Some(broker)) = coordinator_of(&image, group) {
                    return Ok(broker);
                }
                metadata.changed().await.map_err(|_| Error::ShuttingDown)?;
            }
        };
        tokio::time::timeout(self.inner.config.creation_timeout, found)
            .await
            .unwrap_or(Err(Error::CoordinatorNotAvailable))
    }
}

impl Inner {
    pub fn image(&self) -> Arc<Image> {
        self.log.metadata().borrow().clone()
    }

    /// The partition of the offsets topic that keeps the group.
    pub fn partition_of(&self, group: &str) -> Result<PartitionId> {
        let image = self.image();
        let topic = image
            .topic_by_name(OFFSETS_TOPIC)
            .ok_or(Error::CoordinatorNotAvailable)?;
        Ok(PartitionId::new(
            topic.id,
            partition_for(group, topic.partitions.len()),
        ))
    }

    /// Proposes the topic, unless a call is already at it.
    async fn create_offsets_topic(&self, image: &Image) -> Result<()> {
        let replicas = {
            let mut short = self
                .short_since
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            replicas_now(image, &self.config.under(image), &mut short)
        };
        let replicas = replicas.ok_or(Error::CoordinatorNotAvailable)?;
        let Some(_turn) = Turn::take(&self.creating) else {
            return Ok(());
        };
        let topic = new_offsets_topic(&self.config.under(image), replicas);
        info!(
            topic = OFFSETS_TOPIC,
            replicas,
            partitions = topic.partitions,
            "creating the topic"
        );
        match self.log.propose(ClusterCommand::CreateTopic(topic)).await {
            Ok(()) | Err(Error::TopicExists) => Ok(()),
            Err(error) => {
                warn!(topic = OFFSETS_TOPIC, %error, "cannot create the topic");
                Err(Error::CoordinatorNotAvailable)
            }
        }
    }
}

/// A flag that is given back, whatever happens.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(flag: &'a AtomicBool) -> Option<Self> {
        let taken = flag.swap(true, std::sync::atomic::Ordering::AcqRel);
        (!taken).then_some(Self(flag))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, std::sync::atomic::Ordering::Release);
    }
}

/// `None`: the topic is not there.
pub(in crate::group) fn coordinator_of(image: &Image, group: &str) -> Result<Option<BrokerId>> {
    let Some(topic) = image.topic_by_name(OFFSETS_TOPIC) else {
        return Ok(None);
    };
    let index = partition_for(group, topic.partitions.len());
    let partition = usize::try_from(index)
        .ok()
        .and_then(|i| topic.partitions.get(i));
    let leader = partition
        .and_then(|p| p.leader)
        .filter(|b| image.is_live(*b));
    leader.map(Some).ok_or(Error::CoordinatorNotAvailable)
}

pub(super) fn check_group_id(group: &str) -> Result<()> {
    if group.is_empty() || group.len() > limits::NAME_BYTES_MAX {
        return Err(Error::InvalidGroupId);
    }
    Ok(())
}

/// Starts and stops coordinators as the metadata say, until the broker stops.
async fn follow(inner: Arc<Inner>) {
    let mut metadata = inner.log.metadata();
    let mut stop = inner.stop.subscribe();
    let mut tasks = JoinSet::new();
    let mut seen = metadata.borrow_and_update().clone();
    let mut deletions: Vec<Deletion> = Vec::new();
    loop {
        let image = metadata.borrow_and_update().clone();
        let broker = inner.log.broker();
        inner
            .slots
            .follow(&image, broker, &inner.log, &inner.config, &mut tasks);
        let names = deleted_topics(&seen, &image);
        if !names.is_empty() {
            let names: Arc<[String]> = names.into();
            let left = inner.slots.topics_deleted(&names, None);
            deletions.push(Deletion { names, left });
        }
        seen = image;
        for deletion in &mut deletions {
            let only = std::mem::take(&mut deletion.left);
            deletion.left = inner.slots.topics_deleted(&deletion.names, Some(&only));
        }
        deletions.retain(|d| !d.left.is_empty());

        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            changed = metadata.changed() => if changed.is_err() { break },
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                if let Err(error) = ended {
                    warn!(%error, "a coordinator failed; it is started again");
                }
            }
            () = sleep(RETRY), if !deletions.is_empty() => {}
        }
    }
    inner.slots.clear();
    while tasks.join_next().await.is_some() {}
}

/// Names of topics that were there and are not, or are another topic now.
fn deleted_topics(before: &Image, after: &Image) -> Vec<String> {
    if before.version == after.version {
        return Vec::new();
    }
    before
        .topics
        .diff(&after.topics)
        .filter_map(|change| match change {
            imbl::ordmap::DiffItem::Remove(_, topic) => Some(topic.name.clone()),
            _ => None,
        })
        .collect()
}
