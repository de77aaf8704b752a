//! What brings a ConsumerScaler to its reconcile.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::channel::mpsc;
use futures::{Stream, StreamExt, TryStreamExt};
use kube::runtime::controller::{Config, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use weir_crds::{ConsumerScaler, QueueCluster};

use super::observe::is_rolling;
use super::{forget, reconcile, stream};
use crate::context::Context;
use crate::controllers::{CONCURRENCY, PAGE, Scope, failed, measured};

/// Scalers waiting to be looked at because of a report.
const WAKE_QUEUE: usize = 4096;

type Watched<K> = Result<K, watcher::Error>;

/// Runs the controller and the streams of reports. Returns only if a watch ends.
pub async fn run(ctx: &Arc<Context>, scope: &Scope) {
    let (store, writer) = reflector::store();
    let scalers = primary(ctx.clone(), scope, writer);
    let (wake, woken) = mpsc::channel(WAKE_QUEUE);
    let streams = tokio::spawn(stream::run(ctx.clone(), wake));
    ctx.metrics.census.add(store.clone(), |s: &ConsumerScaler| {
        s.status.as_ref().map_or(&[], |s| &s.conditions)
    });
    let all = store.clone();
    Controller::for_stream(scalers, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .watches_stream(clusters(ctx, scope), move |cluster| of(&all, &cluster))
        .reconcile_on(futures::stream::select(
            woken,
            ctx.scalers.claims.clone().woken(),
        ))
        .run(
            |object, ctx| measured("scaler", object, ctx, reconcile),
            |object, error, ctx| failed("scaler", &*object, error, &ctx),
            ctx.clone(),
        )
        .for_each(|_| std::future::ready(()))
        .await;
    streams.abort();
}

/// A watch of the resources that keeps a store of them, and forgets those that are gone.
fn primary(
    ctx: Arc<Context>,
    scope: &Scope,
    writer: reflector::store::Writer<ConsumerScaler>,
) -> impl Stream<Item = Watched<ConsumerScaler>> + Send + use<> {
    let config = watcher::Config::default().page_size(PAGE);
    let mut present = BTreeSet::new();
    watcher(scope.api::<ConsumerScaler>(&ctx.client), config)
        .default_backoff()
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer)
        .inspect_ok(move |event| {
            ctx.scalers.claims.observe(event);
            match event {
                watcher::Event::Delete(scaler) => forget(scaler, &ctx),
                watcher::Event::Init => present.clear(),
                watcher::Event::InitApply(scaler) => {
                    present.insert((scaler.namespace().unwrap_or_default(), scaler.name_any()));
                }
                watcher::Event::InitDone => ctx.scalers.backlogs.retain(&present),
                watcher::Event::Apply(_) => {}
            }
        })
        .touched_objects()
}

/// Clusters that come, go, begin or end to serve or to restart.
fn clusters(
    ctx: &Context,
    scope: &Scope,
) -> impl Stream<Item = Watched<QueueCluster>> + Send + use<> {
    let config = watcher::Config::default().page_size(PAGE);
    let mut seen = HashMap::new();
    watcher(scope.api::<QueueCluster>(&ctx.client), config)
        .default_backoff()
        .touched_objects()
        .try_filter(move |cluster| {
            let status = cluster.status.clone().unwrap_or_default();
            let gone = cluster.meta().deletion_timestamp.is_some();
            let print = (cluster.uid(), gone, status.formed, is_rolling(&status));
            let key = (cluster.namespace(), cluster.name_any());
            let news = seen.insert(key, print.clone()) != Some(print);
            std::future::ready(news)
        })
}

/// The scalers that name a cluster.
fn of(
    all: &Store<ConsumerScaler>,
    cluster: &QueueCluster,
) -> impl Iterator<Item = ObjectRef<ConsumerScaler>> + use<> {
    let key = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let here = move |s: &Arc<ConsumerScaler>| s.cluster_key() == key;
    let mine: Vec<_> = all.state().into_iter().filter(here).collect();
    mine.into_iter().map(|s| ObjectRef::from_obj(&*s))
}
