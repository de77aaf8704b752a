//! Notices what was changed at the brokers behind the operator's back: it follows each cluster's
//! metadata and brings only those Topics to a reconcile whose topic is another than before, and
//! the QueueCluster where its cluster-wide settings are, or the counts in its status.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use weir_crds::{QueueCluster, Topic};
use weir_proto::admin as pb;

use super::observe::{Access, connect};
use crate::admin::{Admin, AdminResult};
use crate::context::Context;
use crate::kafka_config::Settings;

/// How often it is looked which clusters there are.
const SCAN: Duration = Duration::from_secs(5);
/// Changes within this time are looked at together.
const GATHER: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_secs(5);
/// How soon a QueueCluster is looked at whose topics come and go: its status counts them.
const RECOUNT: Duration = Duration::from_secs(5);

type Key = (String, String);
type Prints = HashMap<String, u64>;

/// Who is to be looked at.
#[derive(Clone)]
pub struct Changed {
    pub topics: mpsc::Sender<ObjectRef<Topic>>,
    pub clusters: mpsc::Sender<ObjectRef<QueueCluster>>,
}

/// What a cluster's metadata said last.
#[derive(Default)]
struct Seen {
    topics: Prints,
    config: Option<Settings>,
    /// Topics and partitions; when the cluster is to be told of them.
    counts: Option<(usize, usize)>,
    recount: Option<Instant>,
}

/// Watches every cluster until its resource is gone. Never returns.
pub async fn watch(
    ctx: Arc<Context>,
    clusters: Store<QueueCluster>,
    topics: Store<Topic>,
    changed: Changed,
) {
    let mut tasks: HashMap<Key, JoinHandle<()>> = HashMap::new();
    loop {
        let present: HashMap<Key, Arc<QueueCluster>> = clusters
            .state()
            .into_iter()
            .filter(|c| c.status.as_ref().is_some_and(|s| s.formed))
            .map(|c| ((c.namespace().unwrap_or_default(), c.name_any()), c))
            .collect();
        tasks.retain(|key, task| {
            let keep = present.contains_key(key) && !task.is_finished();
            if !keep {
                task.abort();
            }
            keep
        });
        for key in present.into_keys() {
            tasks.entry(key.clone()).or_insert_with(|| {
                let (ctx, changed) = (ctx.clone(), changed.clone());
                let follow = follow(ctx, key, clusters.clone(), topics.clone(), changed);
                tokio::spawn(follow)
            });
        }
        tokio::time::sleep(SCAN).await;
    }
}

async fn follow(
    ctx: Arc<Context>,
    key: Key,
    clusters: Store<QueueCluster>,
    topics: Store<Topic>,
    mut changed: Changed,
) {
    let mut seen = Seen::default();
    let reference = ObjectRef::<QueueCluster>::new(&key.1).within(&key.0);
    while let Some(cluster) = clusters.get(&reference) {
        if let Ok(Access::Broker(broker)) = connect(&ctx, &cluster).await {
            let ended = listen(&*broker, &key, &mut seen, &topics, &mut changed).await;
            if let Err(error) = ended {
                tracing::debug!(cluster = %key.1, %error, "metadata stream ended");
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn listen(
    broker: &dyn Admin,
    key: &Key,
    seen: &mut Seen,
    topics: &Store<Topic>,
    changed: &mut Changed,
) -> AdminResult<()> {
    let cluster = ObjectRef::<QueueCluster>::new(&key.1).within(&key.0);
    let mut versions = broker.watch_metadata().await?;
    loop {
        tokio::select! {
            version = versions.next() => if version.is_none() { return Ok(()) },
            () = until(seen.recount) => {
                seen.recount = None;
                if changed.clusters.send(cluster.clone()).await.is_err() {
                    return Ok(());
                }
                continue;
            }
        }
        tokio::time::sleep(GATHER).await;
        while let Some(Some(_)) = futures::FutureExt::now_or_never(versions.next()) {}
        // A full queue waits: reconciles are being done all the while.
        let config = Some(broker.cluster_config().await?);
        if seen.config != config {
            if changed.clusters.send(cluster.clone()).await.is_err() {
                return Ok(());
            }
            seen.config = config;
        }
        let listed = broker.list_topics().await?;
        let partitions = listed.iter().map(|t| t.partitions.len()).sum();
        let before = seen.counts.replace((listed.len(), partitions));
        if before.is_some() && before != seen.counts {
            seen.recount.get_or_insert(Instant::now() + RECOUNT);
        }
        let now = prints(&listed);
        for topic in affected(key, &seen.topics, &now, &topics.state()) {
            if changed.topics.send(topic).await.is_err() {
                return Ok(());
            }
        }
        seen.topics = now;
    }
}

/// That moment; never, if there is none.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn prints(topics: &[pb::Topic]) -> Prints {
    let print = |t: &pb::Topic| (t.name.clone(), fingerprint(t));
    topics.iter().map(print).collect()
}

/// What a Topic resource could care about; not leaders and ISR, which move all the time.
fn fingerprint(topic: &pb::Topic) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let mut config: Vec<_> = topic.config.iter().collect();
    config.sort();
    let replicas = topic.partitions.first().map(|p| p.replicas.len());
    let owner = topic
        .owner
        .as_ref()
        .map(|o| (&o.uid, &o.namespace, &o.name));
    (&topic.id, topic.partitions.len(), replicas, owner, config).hash(&mut hasher);
    hasher.finish()
}

/// The resources whose topic is another than it was.
fn affected(
    key: &Key,
    before: &Prints,
    now: &Prints,
    resources: &[Arc<Topic>],
) -> Vec<ObjectRef<Topic>> {
    resources
        .iter()
        .filter(|t| t.cluster_key() == *key)
        .filter(|t| before.get(t.topic_name()) != now.get(t.topic_name()))
        .map(|t| ObjectRef::from_obj(&**t))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(config: &str, leader: i32) -> pb::Topic {
        pb::Topic {
            name: "orders".to_owned(),
            config: HashMap::from([("retention.ms".to_owned(), config.to_owned())]),
            partitions: vec![pb::Partition {
                leader: Some(leader),
                ..pb::Partition::default()
            }],
            ..pb::Topic::default()
        }
    }

    #[test]
    fn a_new_leader_is_no_drift_and_a_new_config_is() {
        assert_eq!(fingerprint(&topic("1", 0)), fingerprint(&topic("1", 2)));
        assert_ne!(fingerprint(&topic("1", 0)), fingerprint(&topic("2", 0)));
    }
}
