//! `ConsumerScaler`: reconcile as a table of contents.

pub mod backlogs;
pub mod controller;
pub mod known_pods;
mod news;
pub mod observe;
pub mod plan;
pub mod remembered;
pub mod status;
pub mod stream;
pub mod target;
pub mod validate;

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use weir_crds::{ConsumerScaler, ConsumerScalerStatus};
use weir_scaler::{Decision, Observation, Reason, decide};

use crate::apply::Applier;
use crate::claims::Claimant;
use crate::conditions::Verdict;
use crate::context::Context;
use crate::error::Result;
use crate::metrics::{ReasonLabels, ScalerLabels};
use backlogs::Seen;
use observe::{Observed, Sight, observe};
use plan::{Found, observation};
use remembered::Remembered;
pub use remembered::Scalers;
use validate::{Valid, validate};

impl Claimant for ConsumerScaler {
    /// Namespace, group, kind and name of the target.
    type Wish = (String, String, String, String);

    fn wish(&self) -> Self::Wish {
        let of = &self.spec.target_ref;
        let group = of
            .api_version
            .split_once('/')
            .map_or("", |(group, _)| group);
        let [group, kind, name] = [group, &of.kind, &of.name].map(str::to_owned);
        (self.namespace().unwrap_or_default(), group, kind, name)
    }
}

/// Field manager of this controller.
pub const MANAGER: &str = "weir-operator-scaler";

/// Brings one target to the number of replicas that its backlog needs.
///
/// The order of writes is deletion costs, replicas, status: an operator that dies in between
/// leaves a target that is right, and the next one says so.
///
/// # Errors
/// What is worth another attempt after a pause.
pub async fn reconcile(scaler: Arc<ConsumerScaler>, ctx: Arc<Context>) -> Result<Action> {
    if scaler.meta().deletion_timestamp.is_some() {
        forget(&scaler, &ctx);
        return Ok(Action::await_change());
    }
    let applier = Applier::new(ctx.client.clone(), MANAGER, ctx.metrics.clone());
    let mut said = scaler.status.clone().unwrap_or_default();
    let outcome = advance(&scaler, &ctx, &applier, &mut said).await;
    let (verdict, again) = match &outcome {
        Ok((verdict, again)) => (verdict.clone(), *again),
        Err(error) => {
            let verdict = Verdict::working("Failing", error.to_string());
            (verdict, ctx.settings.poll)
        }
    };
    tell(&scaler, &ctx, &verdict).await;
    say(&scaler, &ctx, &applier, said, &verdict).await?;
    outcome?;
    Ok(Action::requeue(again))
}

/// A scaler that is gone takes what is known of it with it.
pub fn forget(scaler: &ConsumerScaler, ctx: &Context) {
    let key = (scaler.namespace().unwrap_or_default(), scaler.name_any());
    ctx.scalers.backlogs.forget(&key);
    ctx.scalers.forget(&scaler.uid().unwrap_or_default());
    let labels = ScalerLabels::of(&key);
    ctx.metrics.scaler_wanted.remove(&labels);
    ctx.metrics.scaler_backlog.remove(&labels);
}

/// The steps of a reconcile, in order; also when to come back.
async fn advance(
    scaler: &ConsumerScaler,
    ctx: &Context,
    applier: &Applier,
    said: &mut ConsumerScalerStatus,
) -> Result<(Verdict, Duration)> {
    let valid = match validate(scaler) {
        Ok(valid) => valid,
        Err(why) => return Ok((Verdict::stalled("InvalidSpec", why), ctx.settings.resync)),
    };
    let uid = scaler.uid().unwrap_or_default();
    let observed = match observe(ctx, &valid, &uid).await? {
        Sight::All(observed) => *observed,
        Sight::Waits(verdict) => return Ok((verdict, ctx.settings.poll * 5)),
    };
    let backlogs = &ctx.scalers.backlogs;
    backlogs.want(
        &valid.cluster,
        &valid.key,
        &valid.source.group,
        &valid.source.topics,
    );
    let Some(seen) = backlogs.latest(&valid.cluster, &valid.source.group) else {
        let why = backlogs.problem(&valid.cluster).unwrap_or_default();
        let message = format!("no report of the brokers about the backlog yet; {why}");
        let verdict = Verdict::working("BacklogUnknown", message.trim_end_matches("; "));
        // The first report brings the resource here by itself.
        return Ok((verdict, ctx.settings.poll * 5));
    };
    let mut remembered = recall(scaler, ctx, &valid);
    let elder = observe::elder(ctx, scaler).await?;
    let observation = look(ctx, &valid, &observed, &seen, elder, &mut remembered).await?;
    let decision = decide(&valid.spec, &mut remembered.memory, &observation);
    let namespace = &valid.key.0;
    act(ctx, namespace, &observed, applier, &observation, &decision).await?;
    note(scaler, ctx, &valid, &observation, &decision).await;
    status::describe(said, &observation, &decision, &ctx.scalers.clock.stamp());
    said.memory = status::pack(&remembered.about, &remembered.memory);
    ctx.scalers.remember(&uid, remembered);
    let again = again(ctx, &valid, &observation, &decision);
    Ok((status::verdict(&seen.report, &decision), again))
}

/// What was learnt before, of the same consumers: in this process, or else as status has it.
fn recall(scaler: &ConsumerScaler, ctx: &Context, valid: &Valid) -> Remembered {
    let (target, source) = (&valid.target, &valid.source);
    let about = format!(
        "{}/{} {} {} {}",
        valid.cluster.0, valid.cluster.1, source.group, target.kind, target.name
    );
    let kept = ctx.scalers.recall(&scaler.uid().unwrap_or_default());
    kept.filter(|k| k.about == about)
        .unwrap_or_else(|| Remembered {
            memory: status::unpack(scaler.status.as_ref(), &about).unwrap_or_default(),
            about,
            ..Remembered::default()
        })
}

async fn look(
    ctx: &Context,
    valid: &Valid,
    observed: &Observed,
    seen: &Seen,
    elder: Option<String>,
    remembered: &mut Remembered,
) -> Result<Observation> {
    let now_ms = ctx.scalers.clock.now_ms();
    let foreign = match remembered.other_scaler(now_ms) {
        Some(other) => other,
        None => target::other_scaler(&ctx.client, &valid.key.0, &valid.target).await?,
    };
    if remembered.other_scaler(now_ms).is_none() {
        remembered.other_scaler = Some((now_ms, foreign.clone()));
    }
    remembered.see(observed.pods.iter().flat_map(plan::addresses), now_ms);
    let found = Found {
        report: &seen.report,
        report_age_ms: u64::try_from(seen.age.as_millis()).unwrap_or(u64::MAX),
        replicas: observed.target.replicas(),
        pods: &observed.pods,
        former_ips: &remembered.former_ips(),
        rolling: observed.rolling,
        other_scaler: elder.or(foreign),
    };
    Ok(observation(valid, &found, now_ms))
}

async fn act(
    ctx: &Context,
    namespace: &str,
    observed: &Observed,
    applier: &Applier,
    observation: &Observation,
    decision: &Decision,
) -> Result<()> {
    if decision.replicas == observation.replicas {
        return Ok(());
    }
    // What they cost now decides what is written: not from memory.
    let pods = observed.target.pods(&ctx.client, namespace).await?;
    target::set_deletion_costs(applier, &pods, &decision.deletion_costs).await?;
    observed.target.set_replicas(decision.replicas).await?;
    applier.wrote("Scale");
    Ok(())
}

/// Metrics, the log, and an event for every change of the replicas.
async fn note(
    scaler: &ConsumerScaler,
    ctx: &Context,
    valid: &Valid,
    observation: &Observation,
    decision: &Decision,
) {
    let reason = decision.reason.name();
    let labels = ScalerLabels::of(&valid.key);
    let metrics = &ctx.metrics;
    metrics
        .scaler_decisions
        .get_or_create(&ReasonLabels { reason })
        .inc();
    let backlog = plan::backlog(observation);
    metrics.scaler_backlog.get_or_create(&labels).set(backlog);
    metrics
        .scaler_wanted
        .get_or_create(&labels)
        .set(decision.replicas.into());
    if decision.replicas == observation.replicas {
        return;
    }
    let (from, to) = (observation.replicas, decision.replicas);
    let (kind, name) = (&valid.target.kind, &valid.target.name);
    tracing::info!(scaler = %valid.key.1, %reason, from, to, "scale");
    let note = format!("{kind} {name} from {from} to {to}: {}", decision.message);
    ctx.event(&scaler.object_ref(&()), EventType::Normal, reason, note)
        .await;
}

/// A group with nothing to do, at its fewest replicas, is left alone until a report says otherwise.
fn again(ctx: &Context, valid: &Valid, observation: &Observation, decision: &Decision) -> Duration {
    let idle = plan::is_idle(observation) && decision.replicas == observation.replicas;
    let least = match &decision.reason {
        Reason::Frozen(_) => ctx.settings.poll * 5,
        _ if idle && observation.replicas == valid.spec.min_replicas => ctx.settings.resync,
        _ => Duration::from_secs(1),
    };
    let asked = Duration::from_millis(decision.again_after_ms);
    asked.clamp(least, ctx.settings.resync.max(least))
}

/// An event when the scaler begins to wait for something, or ends to.
async fn tell(scaler: &ConsumerScaler, ctx: &Context, verdict: &Verdict) {
    let conditions = scaler.status.as_ref().map(|s| s.conditions.as_slice());
    let mut before = conditions.unwrap_or_default().iter();
    if before.any(|c| c.reason == verdict.reason()) {
        return;
    }
    let type_ = match verdict {
        Verdict::Ready { .. } | Verdict::Working { .. } => EventType::Normal,
        Verdict::ReadyBut { .. } | Verdict::Stalled { .. } => EventType::Warning,
    };
    let message = verdict.message().to_owned();
    ctx.event(&scaler.object_ref(&()), type_, verdict.reason(), message)
        .await;
}

/// Writes the status, where it tells something.
async fn say(
    scaler: &ConsumerScaler,
    ctx: &Context,
    applier: &Applier,
    said: ConsumerScalerStatus,
    verdict: &Verdict,
) -> Result<()> {
    let now = ctx.scalers.clock.stamp();
    let before = scaler.status.as_ref();
    let said = status::conclude(scaler, said, verdict, &now);
    let uid = scaler.uid().unwrap_or_default();
    let since_ms = ctx.scalers.since_written_ms(&uid);
    if !status::is_news(before, &said, since_ms) {
        return Ok(());
    }
    applier.status(scaler, before, &said).await?;
    ctx.scalers.written(&uid);
    Ok(())
}
