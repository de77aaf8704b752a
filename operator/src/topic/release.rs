//! How a Topic goes: what becomes of its topic, and what may hold the resource up.
//!
//! Only a resource whose topic is to be deleted with it holds a finalizer. It lets go at once
//! where there is nothing to delete or nobody to delete it: no cluster, one that is going or was
//! never formed, one that does not take this namespace's Topics. A cluster that is there and does
//! not answer is waited for, but not for ever where that holds up a namespace.

use jiff::Timestamp;
use kube::Resource;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use serde_json::json;
use weir_crds::{DeletionPolicy, TOPIC_FINALIZER, Topic};

use super::observe::{self, Access};
use super::status;
use crate::admin::{Admin, Refusal};
use crate::apply::Applier;
use crate::cluster::is_paused;
use crate::conditions::{Verdict, now};
use crate::context::Context;
use crate::error::{Error, Result};

/// How long the end of a namespace waits for a cluster that does not answer, in seconds. Then
/// the topic stays, as if the resource had said Retain.
const NAMESPACE_WAIT_SECONDS: i64 = 60;

/// The finalizer is there if, and only if, deletion has something to do. Says whether it was
/// changed.
///
/// # Errors
/// The API server refuses.
pub async fn settle_finalizer(topic: &Topic, applier: &Applier) -> Result<bool> {
    let wanted = topic.spec.deletion_policy == DeletionPolicy::Delete;
    if wanted == holds(topic) || is_paused(topic) {
        return Ok(false);
    }
    set_finalizer(topic, applier, wanted).await?;
    Ok(true)
}

fn holds(topic: &Topic) -> bool {
    topic.finalizers().iter().any(|f| f == TOPIC_FINALIZER)
}

async fn set_finalizer(topic: &Topic, applier: &Applier, wanted: bool) -> Result<()> {
    let mut finalizers = topic.finalizers().to_vec();
    finalizers.retain(|f| f != TOPIC_FINALIZER);
    if wanted {
        finalizers.push(TOPIC_FINALIZER.to_owned());
    }
    let change = json!({"metadata": {
        "finalizers": finalizers,
        "resourceVersion": topic.resource_version(),
    }});
    applier.merge(topic, change).await.map(drop)
}

/// Deletes the topic if its resource asked for that and owns it, then lets the resource go.
///
/// # Errors
/// The API server did not answer.
pub async fn release(topic: &Topic, ctx: &Context, applier: &Applier) -> Result<Action> {
    if !holds(topic) {
        return Ok(Action::await_change());
    }
    let waiting = match remains(topic, ctx).await {
        Ok(waiting) => waiting,
        Err(Error::Admin(error)) => Some(error.to_string()),
        Err(error) => return Err(error),
    };
    if let Some(why) = waiting {
        if !overdue(topic, ctx).await? {
            return wait(topic, ctx, applier, &why).await;
        }
        leave_behind(topic, ctx, &why).await;
    }
    set_finalizer(topic, applier, false).await?;
    Ok(Action::await_change())
}

/// Does what deletion has to do; what it still waits for, if anything.
async fn remains(topic: &Topic, ctx: &Context) -> Result<Option<String>> {
    if topic.spec.deletion_policy != DeletionPolicy::Delete {
        return Ok(None);
    }
    match observe::access(ctx, topic).await? {
        Access::Broker(broker) => delete(topic, ctx, &*broker).await.map(|()| None),
        Access::NotReady(why) => Ok(Some(why)),
        Access::NoCluster | Access::OutOfReach | Access::NotAllowed | Access::NotFormed => Ok(None),
    }
}

async fn delete(topic: &Topic, ctx: &Context, broker: &dyn Admin) -> Result<()> {
    let name = topic.topic_name();
    let live = broker.describe_topic(name).await?;
    let holder = observe::holder(ctx, topic, live.as_ref()).await?;
    if live.is_none() || !holder.is_me() {
        return Ok(());
    }
    tracing::info!(topic = name, "delete topic");
    match broker.delete_topic(name).await {
        Err(error) if !error.is(Refusal::NotFound) => Err(error.into()),
        _ => Ok(()),
    }
}

async fn wait(topic: &Topic, ctx: &Context, applier: &Applier, why: &str) -> Result<Action> {
    let verdict = Verdict::working("Deleting", why);
    let before = topic.status.clone().unwrap_or_default();
    let said = status::conclude(topic, before, &verdict, &now());
    applier.status(topic, topic.status.as_ref(), &said).await?;
    Ok(Action::requeue(ctx.settings.poll * 5))
}

/// Whether a namespace that is to go has waited long enough.
async fn overdue(topic: &Topic, ctx: &Context) -> Result<bool> {
    let Some(since) = &topic.metadata.deletion_timestamp else {
        return Ok(false);
    };
    if Timestamp::now().as_second() - since.0.as_second() < NAMESPACE_WAIT_SECONDS {
        return Ok(false);
    }
    let home = observe::home(ctx, topic).await?;
    Ok(home.is_some_and(|n| n.metadata.deletion_timestamp.is_some()))
}

/// Says where somebody may look for it: nothing can be written into a namespace that goes.
async fn leave_behind(topic: &Topic, ctx: &Context, why: &str) {
    let name = topic.topic_name();
    tracing::warn!(topic = name, why, "namespace goes; the topic stays behind");
    let Ok(Some(cluster)) = observe::cluster(ctx, topic).await else {
        return;
    };
    let home = topic.namespace().unwrap_or_default();
    let note =
        format!("namespace {home} has gone; its topic {name} was to go too and stays: {why}");
    let of = cluster.object_ref(&());
    ctx.event(&of, EventType::Warning, "TopicLeftBehind", note)
        .await;
}
