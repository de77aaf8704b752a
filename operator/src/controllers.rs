//! What brings a resource to its reconcile, and what happens when that fails.

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use futures::channel::mpsc;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    ConfigMap, Node, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
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
use crate::topic::drift::Changed;
use crate::topic::strangers;
use crate::{cluster, scaler, topic};

/// Reconciles of one controller at a time.
pub(crate) const CONCURRENCY: u16 = 16;
/// Objects of one list request.
pub(crate) const PAGE: u32 = 500;
/// Topics, and clusters, waiting to be looked at for drift.
const DRIFT_QUEUE: usize = 1024;

/// Where the operator looks: one namespace, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Namespace(String),
}

impl Scope {
    pub(crate) fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        match self {
            Scope::All => Api::all(client.clone()),
            Scope::Namespace(name) => Api::namespaced(client.clone(), name),
        }
    }
}

/// Runs the controllers, that of ConsumerScalers if `scalers` says so. Returns only if their watches
/// end.
pub async fn run(ctx: Arc<Context>, scope: Scope, scalers: bool) {
    let (clusters, cluster_writer) = reflector::store();
    let (topics, topic_writer) = reflector::store();
    let cluster_stream = primary(&ctx.client, &scope, cluster_writer, |_| {});
    let claims = ctx.claims.clone();
    let index = move |event: &_| claims.observe(event);
    let topic_stream = primary(&ctx.client, &scope, topic_writer, index);
    take_census(&ctx, &clusters, &topics);
    // It is set once: an operator runs once.
    let _ = ctx.clusters.set(clusters.clone());
    let (topic_changed, drifted) = mpsc::channel(DRIFT_QUEUE);
    let (cluster_changed, drifted_clusters) = mpsc::channel(DRIFT_QUEUE);
    let changed = Changed {
        topics: topic_changed,
        clusters: cluster_changed,
    };
    let drift = topic::drift::watch(ctx.clone(), clusters.clone(), topics.clone(), changed);
    let drift = tokio::spawn(drift);
    tokio::select! {
        () = run_clusters(&ctx, &scope, cluster_stream, clusters, drifted_clusters) => {}
        () = run_topics(&ctx, &scope, topic_stream, topics, drifted) => {}
        () = scaler::controller::run(&ctx, &scope), if scalers => {}
    }
    drift.abort();
}

/// What the metrics count.
fn take_census(ctx: &Context, clusters: &Store<QueueCluster>, topics: &Store<Topic>) {
    let census = &ctx.metrics.census;
    census.add_clusters(clusters.clone());
    census.add(topics.clone(), |t| {
        t.status.as_ref().map_or(&[], |s| &s.conditions)
    });
}

/// A watch of our own resources that keeps a store of them; `see` is shown every event.
fn primary<K, F>(
    client: &Client,
    scope: &Scope,
    writer: reflector::store::Writer<K>,
    see: F,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + use<K, F>
where
    F: Fn(&watcher::Event<K>) + Send + 'static,
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
        .inspect_ok(see)
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
    drifted: mpsc::Receiver<ObjectRef<QueueCluster>>,
) {
    let client = &ctx.client;
    let clusters = store.clone();
    let on_node = move |node: Node| {
        let name = node.name_any();
        let there = |c: &Arc<QueueCluster>| cluster::nodes::is_on(c, &name);
        let mine: Vec<_> = clusters.state().into_iter().filter(there).collect();
        mine.into_iter().map(|c| ObjectRef::from_obj(&*c))
    };
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
        .watches_stream(owned::<ServiceAccount>(client, scope), |o| of_cluster(&o))
        .watches_stream(nodes(client), on_node)
        .reconcile_on(drifted)
        .run(
            |object, ctx| measured("cluster", object, ctx, cluster::reconcile),
            |object, error, ctx| failed("cluster", &*object, error, &ctx),
            ctx.clone(),
        )
        .for_each(|_| std::future::ready(()))
        .await;
}

/// A watch of the nodes that tells when one is cordoned or opened, or begins or ends to be ready.
/// Of each nothing is kept but that.
fn nodes(client: &Client) -> impl Stream<Item = Result<Node, watcher::Error>> + Send + use<> {
    let config = watcher::Config::default().page_size(PAGE);
    let mut seen = std::collections::HashMap::new();
    watcher(Api::<Node>::all(client.clone()), config)
        .default_backoff()
        .touched_objects()
        .try_filter(move |node| {
            let state = cluster::nodes::state(Some(node));
            let news = seen.insert(node.name_any(), state) != Some(state);
            std::future::ready(news)
        })
}

async fn run_topics(
    ctx: &Arc<Context>,
    scope: &Scope,
    stream: impl Stream<Item = Result<Topic, watcher::Error>> + Send + 'static,
    store: Store<Topic>,
    drifted: mpsc::Receiver<ObjectRef<Topic>>,
) {
    let by_cluster = topic::clusters::topics_woken(&ctx.client, scope, store.clone());
    let namespaces = strangers::labelled_namespaces(&ctx.client, PAGE);
    let of_namespace = strangers::mapper(store.clone());
    Controller::for_stream(stream, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .watches_stream(namespaces, of_namespace)
        .reconcile_on(futures::stream::select(drifted, ctx.claims.clone().woken()))
        .reconcile_on(by_cluster)
        .run(
            |object, ctx| measured("topic", object, ctx, topic::reconcile),
            |object, error, ctx| failed("topic", &*object, error, &ctx),
            ctx.clone(),
        )
        .for_each(|_| std::future::ready(()))
        .await;
}

pub(crate) async fn measured<K, F>(
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

pub(crate) fn failed<K: Resource>(
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
