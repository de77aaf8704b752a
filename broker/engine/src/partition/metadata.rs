//! Follows the metadata: which replicas this broker has, and what they must know.

use imbl::ordmap::DiffItem;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tracing::{info, warn};
use weir_core::cluster::{Broker, ConfigResource, Image, Topic};
use weir_core::replica::Membership;
use weir_storage::{LOG_CONFIG_NAMES, Log, LogConfig, RealDisk};
use weir_types::{BrokerId, PartitionId, TopicId};

use super::commands::{Assignment, ShardCommand};
use super::hub::Hub;
use super::recover::Recovered;

/// Runs until the broker stops.
///
/// **Invariant:** only images that hold this process's own registration are acted upon. Whatever
/// the folder holds that such an image does not give to this broker is deleted: all that was
/// decided before the registration is in it.
pub(super) async fn follow(hub: Arc<Hub>, recovered: Recovered) {
    let mut images = hub.metadata.subscribe();
    let mut stopping = hub.stopping.subscribe();
    let mut follower = Follower {
        hub: Arc::clone(&hub),
        recovered: Some(recovered),
        last: None,
    };
    loop {
        let image = Arc::clone(&images.borrow_and_update());
        let taken = follower.take(image);
        tokio::select! {
            changed = images.changed() => if changed.is_err() { return },
            // The registration became known: the image may be right already.
            () = tokio::time::sleep(std::time::Duration::from_millis(50)), if !taken => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

struct Follower {
    hub: Arc<Hub>,
    /// Until the first image.
    recovered: Option<Recovered>,
    last: Option<Arc<Image>>,
}

impl Follower {
    /// Whether the image holds our registration.
    fn take(&mut self, image: Arc<Image>) -> bool {
        let me = self.hub.config.broker;
        let registered = image.brokers.get(&me).map(|b| b.epoch);
        if registered.is_none() || registered != self.hub.metadata.broker_epoch() {
            return false;
        }
        match self.last.take() {
            None => self.begin(&image),
            Some(last) => self.follow(&last, &image),
        }
        self.last = Some(image);
        true
    }

    fn begin(&mut self, image: &Image) {
        let Recovered {
            mut logs, on_disk, ..
        } = self.recovered.take().unwrap_or_default();
        for topic in image.topics.values() {
            self.assign_topic(image, topic, None, &BTreeSet::new(), &mut logs);
        }
        // Closed before they are deleted.
        drop(logs);
        let me = self.hub.config.broker;
        for id in on_disk {
            let mine = image
                .partition(id)
                .is_some_and(|p| p.replicas.contains(&me));
            if !mine {
                info!(partition = %id, "the folder holds a partition that is not this broker's");
                self.hub.send(id, ShardCommand::Unassign(id));
            }
        }
    }

    fn follow(&self, last: &Image, image: &Image) {
        let brokers = changed_brokers(last, image);
        let none = &mut HashMap::new();
        let defaults = |i: &Image| i.configs.get(&ConfigResource::ClusterDefault).cloned();
        let all = !brokers.is_empty() || defaults(last) != defaults(image);
        for change in last.topics.diff(&image.topics) {
            match change {
                DiffItem::Add(_, topic) => {
                    self.assign_topic(image, topic, None, &brokers, none);
                }
                DiffItem::Remove(id, topic) => self.unassign_topic(*id, topic),
                DiffItem::Update { old, new } if !all => {
                    self.assign_topic(image, new.1, Some(old.1), &brokers, none);
                }
                DiffItem::Update { .. } => {}
            }
        }
        if !all {
            return;
        }
        let configs_changed = defaults(last) != defaults(image);
        for (id, topic) in &image.topics {
            if let Some(old) = last.topics.get(id) {
                let old = (!configs_changed).then_some(old);
                self.assign_topic(image, topic, old, &brokers, none);
            }
        }
    }

    /// Tells the shards of the topic's partitions here; with `old`, only of those that changed.
    fn assign_topic(
        &self,
        image: &Image,
        topic: &Arc<Topic>,
        old: Option<&Arc<Topic>>,
        brokers: &BTreeSet<BrokerId>,
        logs: &mut HashMap<PartitionId, Log<RealDisk>>,
    ) {
        let me = self.hub.config.broker;
        let same_config = old.is_some_and(|old| old.config == topic.config);
        let mut config = None;
        for (index, partition) in (0..).zip(&topic.partitions) {
            let id = PartitionId::new(topic.id, index);
            let before = old.and_then(|old| old.partitions.get(usize::try_from(index).ok()?));
            if !partition.replicas.contains(&me) {
                if before.is_some_and(|b| b.replicas.contains(&me)) {
                    self.hub.send(id, ShardCommand::Unassign(id));
                }
                continue;
            }
            let touched = partition.replicas.iter().any(|b| brokers.contains(b));
            if same_config && !touched && before == Some(partition) {
                continue;
            }
            let Some(membership) = Membership::of(image, id) else {
                continue;
            };
            let config = config.get_or_insert_with(|| Arc::new(log_config(image, topic.id)));
            let assignment = Assignment {
                partition: id,
                internal: topic.internal,
                membership,
                config: Arc::clone(config),
                opened: logs.remove(&id),
            };
            self.hub
                .send(id, ShardCommand::Assign(Box::new(assignment)));
        }
    }

    fn unassign_topic(&self, id: TopicId, topic: &Topic) {
        let me = self.hub.config.broker;
        for (index, partition) in (0..).zip(&topic.partitions) {
            if partition.replicas.contains(&me) {
                let id = PartitionId::new(id, index);
                self.hub.send(id, ShardCommand::Unassign(id));
            }
        }
    }
}

/// Those whose registration or state is another one.
fn changed_brokers(last: &Image, image: &Image) -> BTreeSet<BrokerId> {
    let state = |b: &Broker| (b.epoch, b.fenced, b.stopping);
    let differs = |item| match item {
        DiffItem::Add(id, _) | DiffItem::Remove(id, _) => Some(*id),
        DiffItem::Update {
            old: (id, old),
            new: (_, new),
        } => {
            let (old, new): (&Arc<Broker>, &Arc<Broker>) = (old, new);
            (state(old) != state(new)).then_some(*id)
        }
    };
    last.brokers
        .diff(&image.brokers)
        .filter_map(differs)
        .collect()
}

/// What the metadata says about how the topic's logs are kept.
pub fn log_config(image: &Image, topic: TopicId) -> LogConfig {
    let value = |name: &&str| {
        let known_as = match *name {
            "flush" => "weir.flush",
            "flush.ms" => "weir.flush.interval.ms",
            kafka => kafka,
        };
        let value = image.topic_config(topic, known_as)?;
        Some(((*name).to_owned(), value.to_owned()))
    };
    let values = LOG_CONFIG_NAMES.iter().filter_map(value).collect();
    LogConfig::from_kafka(&values).unwrap_or_else(|why| {
        // The metadata takes no such value; an older broker may have.
        warn!(%topic, %why, "the topic's config is not understood: Kafka's defaults are used");
        LogConfig::default()
    })
}
