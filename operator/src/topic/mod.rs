//! `Topic`: reconcile as a table of contents.

pub(crate) mod clusters;
pub mod drift;
pub mod observe;
pub mod plan;
mod release;
mod status;
pub mod strangers;

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use weir_crds::{Difference, Topic, TopicStatus};
use weir_proto::admin as pb;

use crate::admin::{Admin, AdminError, Refusal};
use crate::apply::Applier;
use crate::claims::Claimant;
use crate::cluster::{is_paused, paused};
use crate::conditions::{Verdict, now};
use crate::context::Context;
use crate::error::Result;
use observe::{Access, Holder};
use plan::{Decision, Wanted, decide};

impl Claimant for Topic {
    /// Namespace and name of the cluster, and the topic's name.
    type Wish = (String, String, String);

    fn wish(&self) -> Self::Wish {
        let (namespace, cluster) = self.cluster_key();
        (namespace, cluster, self.topic_name().to_owned())
    }
}

/// Field manager of this controller.
pub const MANAGER: &str = "weir-operator-topic";

/// Brings one topic to what its resource says.
///
/// # Errors
/// What is worth another attempt after a pause.
pub async fn reconcile(topic: Arc<Topic>, ctx: Arc<Context>) -> Result<Action> {
    let uid = topic.uid().unwrap_or_default();
    if let Err(wait) = ctx.turns.take(&topic.cluster_key(), &uid) {
        return Ok(Action::requeue(wait));
    }
    let applier = Applier::new(ctx.client.clone(), MANAGER, ctx.metrics.clone());
    if topic.meta().deletion_timestamp.is_some() {
        return release::release(&topic, &ctx, &applier).await;
    }
    if release::settle_finalizer(&topic, &applier).await? {
        // The change brings the resource here again.
        return Ok(Action::await_change());
    }
    let mut status = topic.status.clone().unwrap_or_default();
    status.differences.clear();
    let outcome = advance(&topic, &ctx, &mut status).await;
    let outcome = outcome.map(|verdict| match is_paused(&*topic) {
        true => paused(&verdict),
        false => verdict,
    });
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
        // So does one that comes to be.
        _ if verdict.reason() == NO_CLUSTER => Action::requeue(ctx.settings.resync),
        _ if is_paused(&*topic) => Action::await_change(),
        _ => Action::requeue(ctx.settings.poll * 5),
    })
}

const NO_CLUSTER: &str = "ClusterNotFound";

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

/// The steps of a reconcile, in order. Of a paused resource it is told how its topic is.
async fn advance(topic: &Topic, ctx: &Context, status: &mut TopicStatus) -> Result<Verdict> {
    let wanted = match Wanted::new(topic) {
        Ok(wanted) => wanted,
        Err(why) => return Ok(Verdict::stalled("InvalidConfig", why)),
    };
    status.topic_name = Some(wanted.name.clone());
    let broker = match observe::access(ctx, topic).await? {
        Access::Broker(broker) => broker,
        none => return Ok(unreachable(topic, none)),
    };
    let live = broker.describe_topic(&wanted.name).await?;
    let holder = observe::holder(ctx, topic, live.as_ref()).await?;
    if holder == Holder::Nobody
        && let Some(elder) = observe::elder(ctx, topic).await?
    {
        let message = format!("Topic {elder} is older and wants topic {}", wanted.name);
        return Ok(Verdict::stalled("Conflict", message));
    }
    let ours = status::ours(status, live.as_ref(), &holder);
    let decision = decide(&wanted, live.as_ref(), &holder, &ours);
    if is_paused(topic) {
        status::describe(status, &wanted, live.as_ref(), &holder);
        status.config_keys = ours;
        return Ok(as_it_is(decision, live.as_ref()));
    }
    if let Decision::Refuse { .. } = &decision {
        status::describe(status, &wanted, live.as_ref(), &holder);
        status.config_keys = ours;
    } else if let Decision::Alter(..) = &decision
        && status::remember(status, &wanted, live.as_ref(), &holder, &ours)
    {
        // Stored first: after a crash it must still be known which settings are ours.
        let message = "about to change the topic".to_owned();
        return Ok(Verdict::working("Applying", message));
    }
    let subject = Subject { topic, ctx, wanted };
    subject.act(&*broker, decision, live, status).await
}

/// How a topic is that nothing is done about.
fn as_it_is(decision: Decision, live: Option<&pb::Topic>) -> Verdict {
    match decision {
        Decision::InSync => Verdict::Ready {
            message: live.map_or_else(String::new, said),
        },
        Decision::Create(_) => Verdict::working("Missing", "the topic is not there"),
        Decision::Alter(_, differences) | Decision::Preview(differences) => {
            let what = match differences.is_empty() {
                true => "its owner".to_owned(),
                false => plan::told(&differences),
            };
            Verdict::working("Differs", format!("what would change: {what}"))
        }
        Decision::Refuse { reason, message } => Verdict::stalled(reason, message),
    }
}

/// Why there is nobody to talk to about a topic.
fn unreachable(topic: &Topic, access: Access) -> Verdict {
    let (namespace, name) = topic.cluster_key();
    match access {
        Access::NotReady(why) => Verdict::working("ClusterNotReady", why),
        Access::NoCluster => {
            let message = format!("waits for QueueCluster {namespace}/{name}, which is not there");
            Verdict::working(NO_CLUSTER, message)
        }
        Access::OutOfReach => {
            let message = format!("this operator may not look into namespace {namespace}");
            Verdict::stalled("ClusterOutOfReach", message)
        }
        Access::NotAllowed => {
            let message = format!(
                "QueueCluster {namespace}/{name} takes no Topics of this namespace: see its topicNamespaces"
            );
            Verdict::stalled("NamespaceNotAllowed", message)
        }
        Access::NotFormed | Access::Broker(_) => {
            Verdict::working("ClusterNotReady", "the cluster is not formed yet")
        }
    }
}

/// A topic at work.
struct Subject<'a> {
    topic: &'a Topic,
    ctx: &'a Context,
    wanted: Wanted,
}

impl Subject<'_> {
    /// Does what was decided, and says how that went.
    async fn act(
        &self,
        broker: &dyn Admin,
        decision: Decision,
        live: Option<pb::Topic>,
        status: &mut TopicStatus,
    ) -> Result<Verdict> {
        let wanted = &self.wanted;
        let done = match decision {
            Decision::InSync => Ok(live),
            Decision::Refuse { reason, message } => return Ok(Verdict::stalled(reason, message)),
            Decision::Preview(differences) => {
                status::describe(status, wanted, live.as_ref(), &Holder::Nobody);
                return Ok(preview(wanted, differences, status));
            }
            Decision::Create(new) => {
                let gone = "the topic was gone and is made again, empty".to_owned();
                self.record_drift(status, status.topic_id.is_some(), gone)
                    .await;
                tracing::info!(topic = %wanted.name, "create topic");
                broker.create_topic(new).await.map(Some)
            }
            Decision::Alter(change, differences) => {
                let owned = change.owner.is_none();
                let what = plan::told(&differences);
                self.record_drift(status, owned, what).await;
                tracing::info!(topic = %wanted.name, ?change, "alter topic");
                broker.alter_topic(&wanted.name, change).await.map(Some)
            }
        };
        match done {
            Ok(live) => {
                status::describe(status, wanted, live.as_ref(), &Holder::Me);
                status.config_keys = wanted.config.keys().cloned().collect();
                let message = live.map_or_else(String::new, |t| said(&t));
                Ok(Verdict::Ready { message })
            }
            Err(error) => refused(error),
        }
    }

    /// Notes that the topic was changed behind its resource's back, if that is why it is not as
    /// wanted: it was once, and the resource has not changed since. Told before it is put back.
    async fn record_drift(&self, status: &mut TopicStatus, owned: bool, what: String) {
        if !owned || !status::was_ready(self.topic) {
            return;
        }
        let note = format!("changed behind this resource's back and put back: {what}");
        let of = self.topic.object_ref(&());
        let type_ = EventType::Warning;
        self.ctx.event(&of, type_, "DriftReverted", note).await;
        status::count_drift(status, &what, now());
    }
}

fn preview(wanted: &Wanted, differences: Vec<Difference>, status: &mut TopicStatus) -> Verdict {
    let message = format!(
        "topic {} exists and belongs to nobody; adopt: Overwrite would change {}",
        wanted.name,
        plan::told(&differences)
    );
    status.differences = differences;
    Verdict::stalled("AdoptionPreview", message)
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
