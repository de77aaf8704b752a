//! `Topic`: reconcile as a table of contents.

pub mod drift;
pub mod observe;
pub mod plan;
mod status;

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use serde_json::json;
use weir_crds::{DeletionPolicy, TOPIC_FINALIZER, Topic, TopicStatus};
use weir_proto::admin as pb;

use crate::admin::{AdminError, Refusal};
use crate::apply::Applier;
use crate::cluster::{is_paused, paused};
use crate::conditions::{Verdict, now};
use crate::context::Context;
use crate::error::Result;
use observe::{Access, Holder};
use plan::{Decision, Wanted, decide};

/// Field manager of this controller.
pub const MANAGER: &str = "weir-operator-topic";

/// Brings one topic to what its resource says.
///
/// # Errors
/// What is worth another attempt after a pause.
pub async fn reconcile(topic: Arc<Topic>, ctx: Arc<Context>) -> Result<Action> {
    let applier = Applier::new(ctx.client.clone(), MANAGER, ctx.metrics.clone());
    if topic.meta().deletion_timestamp.is_some() {
        return release(&topic, &ctx, &applier).await;
    }
    if settle_finalizer(&topic, &applier).await? {
        // The change brings the resource here again.
        return Ok(Action::await_change());
    }
    let mut status = topic.status.clone().unwrap_or_default();
    let outcome = advance(&topic, &ctx, &mut status).await;
    let verdict = match &outcome {
        Ok(verdict) => verdict.clone(),
        Err(error) => Verdict::working("Failing", error.to_string()),
    };
    let said = status::conclude(&topic, status, &verdict, &now());
    tell(&topic, &ctx, &verdict).await;
    applier
        .status(&*topic, topic.status.as_ref(), &said)
        .await?;
    outcome?;
    Ok(match verdict {
        // A cluster that becomes ready brings its Topics here by itself.
        Verdict::Ready { .. } | Verdict::Stalled { .. } => Action::requeue(ctx.settings.resync),
        _ if is_paused(&*topic) => Action::await_change(),
        _ => Action::requeue(ctx.settings.poll * 5),
    })
}

async fn tell(topic: &Topic, ctx: &Context, verdict: &Verdict) {
    let conditions = topic.status.as_ref().map(|s| s.conditions.as_slice());
    let mut before = conditions.unwrap_or_default().iter();
    if before.any(|c| c.reason == verdict.reason()) {
        return;
    }
    let type_ = match verdict {
        Verdict::Stalled { .. } => EventType::Warning,
        _ => EventType::Normal,
    };
    let message = verdict.message().to_owned();
    ctx.event(&topic.object_ref(&()), type_, verdict.reason(), message)
        .await;
}

/// The steps of a reconcile, in order.
async fn advance(topic: &Topic, ctx: &Context, status: &mut TopicStatus) -> Result<Verdict> {
    if is_paused(topic) {
        return Ok(paused());
    }
    let wanted = match Wanted::new(topic) {
        Ok(wanted) => wanted,
        Err(why) => return Ok(Verdict::stalled("InvalidConfig", why)),
    };
    let (namespace, name) = topic.cluster_key();
    let broker = match observe::access(ctx, topic).await? {
        Access::Broker(broker) => broker,
        Access::NoCluster => {
            let message = format!("there is no QueueCluster {namespace}/{name}");
            return Ok(Verdict::stalled("ClusterNotFound", message));
        }
        Access::NotReady(why) => return Ok(Verdict::working("ClusterNotReady", why)),
        Access::NotAllowed => {
            let message = format!(
                "QueueCluster {namespace}/{name} takes no Topics of this namespace: see its topicNamespaces"
            );
            return Ok(Verdict::stalled("NotAllowed", message));
        }
    };
    let live = broker.describe_topic(&wanted.name).await?;
    let holder = observe::holder(ctx, topic, live.as_ref()).await?;
    let decision = decide(&wanted, live.as_ref(), &holder, &status.config_keys);
    let done = match decision {
        Decision::InSync => Ok(live),
        Decision::Refuse { reason, message } => {
            status::describe(status, &wanted, live.as_ref(), &holder);
            return Ok(Verdict::stalled(reason, message));
        }
        Decision::Create(new) => {
            tracing::info!(topic = %wanted.name, "create topic");
            broker.create_topic(new).await.map(Some)
        }
        Decision::Alter(change) => {
            tracing::info!(topic = %wanted.name, ?change, "alter topic");
            broker.alter_topic(&wanted.name, change).await.map(Some)
        }
    };
    match done {
        Ok(live) => {
            status::describe(status, &wanted, live.as_ref(), &Holder::Me);
            status.config_keys = wanted.config.keys().cloned().collect();
            let message = live.map_or_else(String::new, |t| said(&t));
            Ok(Verdict::Ready { message })
        }
        Err(error) => refused(error),
    }
}

fn said(topic: &pb::Topic) -> String {
    format!("{} partitions", topic.partitions.len())
}

/// A refusal that asking again does not change is for a person; the rest is tried again.
fn refused(error: AdminError) -> Result<Verdict> {
    if error.is(Refusal::Invalid) {
        return Ok(Verdict::stalled("Refused", error.to_string()));
    }
    Err(error.into())
}

/// The finalizer is there if, and only if, deletion has something to do. Says whether it was
/// changed.
async fn settle_finalizer(topic: &Topic, applier: &Applier) -> Result<bool> {
    let wanted = topic.spec.deletion_policy == DeletionPolicy::Delete;
    let present = topic.finalizers().iter().any(|f| f == TOPIC_FINALIZER);
    if wanted == present || is_paused(topic) {
        return Ok(false);
    }
    set_finalizer(topic, applier, wanted).await?;
    Ok(true)
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
async fn release(topic: &Topic, ctx: &Context, applier: &Applier) -> Result<Action> {
    if !topic.finalizers().iter().any(|f| f == TOPIC_FINALIZER) {
        return Ok(Action::await_change());
    }
    let wanted = topic.spec.deletion_policy == DeletionPolicy::Delete;
    match observe::access(ctx, topic).await? {
        Access::Broker(broker) if wanted => {
            let name = topic.topic_name();
            let live = broker.describe_topic(name).await?;
            let holder = observe::holder(ctx, topic, live.as_ref()).await?;
            if live.is_some() && holder.is_me() {
                tracing::info!(topic = name, "delete topic");
                match broker.delete_topic(name).await {
                    Err(error) if !error.is(Refusal::NotFound) => return Err(error.into()),
                    _ => {}
                }
            }
        }
        Access::NotReady(why) if wanted => {
            let verdict = Verdict::working("Deleting", why);
            let status = topic.status.clone().unwrap_or_default();
            let said = status::conclude(topic, status, &verdict, &now());
            applier.status(topic, topic.status.as_ref(), &said).await?;
            return Ok(Action::requeue(ctx.settings.poll * 5));
        }
        _ => {}
    }
    set_finalizer(topic, applier, false).await?;
    Ok(Action::await_change())
}
