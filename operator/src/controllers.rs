//! What brings a resource to its reconcile, and what happens when that fails.

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use futures::channel::mpsc;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::Api;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use weir_crds::{QueueCluster, Topic};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::metrics::{ControllerLabels, ResultLabels};
use crate::names::{CLUSTER_LABEL, MANAGED_BY, MANAGER};
use crate::{cluster, topic};

/// Reconciles of one controller at a time.
const CONCURRENCY: u16 = 16;
/// Objects of one list request.
const PAGE: u32 = 500;
/// Topics waiting to be looked at for drift.
const DRIFT_QUEUE: usize = 1024;

/// Where the operator looks: one namespace, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Namespace(String),
}

impl Scope {
    fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        match self {
            Scope::All => Api::all(client.clone()),
            Scope::Namespace(name) => Api::namespaced(client.clone(), name),
        }
    }
}

/// Runs both controllers. Returns only if their watches end.
pub async fn run(ctx: Arc<Context>, scope: Scope) {
    let (clusters, cluster_writer) = reflector::store();
    let (topics, topic_writer) = reflector::store();
    let cluster_stream = primary(&ctx.client, &scope, cluster_writer);
    let topic_stream = primary(&ctx.client, &scope, topic_writer);
    let (changed, drifted) = mpsc::channel(DRIFT_QUEUE);
    let drift = topic::drift::watch(ctx.clone(), clusters.clone(), topics.clone(), changed);
    let drift = tokio::spawn(drift);
    let ended = futures::future::select(
        Box::pin(run_clusters(&ctx, &scope, cluster_stream, clusters)),
        Box::pin(run_topics(&ctx, &scope, topic_stream, topics, drifted)),
    );
    ended.await;
    drift.abort();
}

/// A watch of our own resources that keeps a store of them.
fn primary<K>(
    client: &Client,
    scope: &Scope,
    writer: reflector::store::Writer<K>,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + use<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let config = watcher::Config::default().page_size(PAGE);
    watcher(scope.api::<K>(client), config)
        .default_backoff()
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer)
        .touched_objects()
}

/// A watch of what carries our label.
fn owned<K>(
    client: &Client,
    scope: &Scope,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + use<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    let config = watcher::Config::default()
        .labels(&format!("{MANAGED_BY}={MANAGER},{CLUSTER_LABEL}"))
        .page_size(PAGE);
    watcher(scope.api::<K>(client), config)
        .default_backoff()
        .modify(|object| object.managed_fields_mut().clear())
        .touched_objects()
}

/// The cluster that an object's label names.
fn of_cluster<K: Resource>(object: &K) -> Option<ObjectRef<QueueCluster>> {
    let name = object.labels().get(CLUSTER_LABEL)?;
    Some(ObjectRef::new(name).within(&object.namespace()?))
}

async fn run_clusters(
    ctx: &Arc<Context>,
    scope: &Scope,
    stream: impl Stream<Item = Result<QueueCluster, watcher::Error>> + Send + 'static,
    store: Store<QueueCluster>,
) {
    let client = &ctx.client;
    Controller::for_stream(stream, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .watches_stream(owned::<StatefulSet>(client, scope), |o| of_cluster(&o))
        .watches_stream(owned::<Pod>(client, scope), |o| of_cluster(&o))
        .watches_stream(owned::<Service>(client, scope), |o| of_cluster(&o))
        .watches_stream(owned::<ConfigMap>(client, scope), |o| of_cluster(&o))
        .watches_stream(owned::<Secret>(client, scope), |o| of_cluster(&o))
        .watches_stream(owned::<PodDisruptionBudget>(client, scope), |o| {
            of_cluster(&o)
        })
        .watches_stream(owned::<PersistentVolumeClaim>(client, scope), |o| {
            of_cluster(&o)
        })
        .run(
            |object, ctx| measured("cluster", object, ctx, cluster::reconcile),
            |object, error, ctx| failed("cluster", &*object, error, &ctx),
            ctx.clone(),
        )
        .for_each(|_| std::future::ready(()))
        .await;
}

async fn run_topics(
    ctx: &Arc<Context>,
    scope: &Scope,
    stream: impl Stream<Item = Result<Topic, watcher::Error>> + Send + 'static,
    store: Store<Topic>,
    drifted: mpsc::Receiver<ObjectRef<Topic>>,
) {
    let topics = store.clone();
    let of = move |cluster: QueueCluster| {
        let key = (cluster.namespace().unwrap_or_default(), cluster.name_any());
        let here = move |t: &Arc<Topic>| t.cluster_key() == key;
        let mine: Vec<_> = topics.state().into_iter().filter(here).collect();
        mine.into_iter().map(|t| ObjectRef::from_obj(&*t))
    };
    // A cluster matters to its Topics when it comes, goes, or begins or ends to serve.
    let config = watcher::Config::default().page_size(PAGE);
    let clusters = watcher(scope.api::<QueueCluster>(&ctx.client), config)
        .default_backoff()
        .touched_objects()
        .try_filter({
            let mut seen = std::collections::HashMap::new();
            move |cluster| {
                let key = (cluster.namespace(), cluster.name_any());
                let print = matters(cluster);
                let news = seen.insert(key, print.clone()) != Some(print);
                std::future::ready(news)
            }
        });
    Controller::for_stream(stream, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .watches_stream(clusters, of)
        .reconcile_on(drifted)
        .run(
            |object, ctx| measured("topic", object, ctx, topic::reconcile),
            |object, error, ctx| failed("topic", &*object, error, &ctx),
            ctx.clone(),
        )
        .for_each(|_| std::future::ready(()))
        .await;
}

/// What of a cluster its Topics depend on.
fn matters(cluster: &QueueCluster) -> (Option<String>, bool, bool, String) {
    let status = cluster.status.clone().unwrap_or_default();
    (
        cluster.uid(),
        cluster.metadata.deletion_timestamp.is_some(),
        status.formed && status.ready_replicas > 0,
        serde_json::to_string(&cluster.spec.topic_namespaces).unwrap_or_default(),
    )
}

async fn measured<K, F>(
    controller: &'static str,
    object: Arc<K>,
    ctx: Arc<Context>,
    reconcile: impl FnOnce(Arc<K>, Arc<Context>) -> F,
) -> Result<Action>
where
    K: Resource,
    F: Future<Output = Result<Action>>,
{
    let started = Instant::now();
    let uid = object.uid().unwrap_or_default();
    let outcome = reconcile(object, ctx.clone()).await;
    let result = if outcome.is_ok() { "ok" } else { "error" };
    let labels = ResultLabels { controller, result };
    ctx.metrics.reconciles.get_or_create(&labels).inc();
    ctx.metrics
        .reconcile_seconds
        .get_or_create(&ControllerLabels { controller })
        .observe(started.elapsed().as_secs_f64());
    if outcome.is_ok() {
        ctx.backoff.succeeded(&uid);
    }
    outcome
}

fn failed<K: Resource>(
    controller: &'static str,
    object: &K,
    error: &Error,
    ctx: &Context,
) -> Action {
    let pause = ctx.backoff.failed(&object.uid().unwrap_or_default());
    // Somebody else wrote first: what they wrote is on its way to us.
    let conflict = error.code() == Some(409);
    if !conflict {
        let name = object.name_any();
        tracing::warn!(controller, %name, %error, ?pause, "reconcile failed");
    }
    Action::requeue(pause)
}
