//! What is said about a scaler, and when it is worth a write.

use weir_crds::{ConsumerScaler, ConsumerScalerStatus, ScalerDecision, ScalerInputs};
use weir_proto::admin as pb;
use weir_scaler::{Decision, Freeze, Inputs, Memory, Observation, Reason};

use super::plan::backlog;
use crate::conditions::{Verdict, settle};

/// Longest memory that is stored, bytes; a longer one is learnt anew after a restart.
const MEMORY_BYTES_MAX: usize = 8 * 1024;
/// Longest message of a decision, bytes: the schema bounds it too.
const MESSAGE_CHARS_MAX: usize = 500;
/// How often figures alone are written, milliseconds.
pub const REFRESH_MS: u64 = 60_000;

/// Where learnt things are kept: with what they are about.
pub fn pack(about: &str, memory: &Memory) -> Option<String> {
    let text = serde_json::to_string(&(about, memory)).ok()?;
    (text.len() <= MEMORY_BYTES_MAX).then_some(text)
}

/// What a status remembers, if it is about the same.
pub fn unpack(status: Option<&ConsumerScalerStatus>, about: &str) -> Option<Memory> {
    let text = status?.memory.as_deref()?;
    let (of, memory): (String, Memory) = serde_json::from_str(text).ok()?;
    (of == about).then_some(memory)
}

/// Adds what was decided.
pub fn describe(
    status: &mut ConsumerScalerStatus,
    observed: &Observation,
    decision: &Decision,
    now: &str,
) {
    status.current_replicas = Some(count(observed.replicas));
    status.desired_replicas = Some(count(decision.replicas));
    status.backlog = Some(backlog(observed));
    status.reason = Some(decision.reason.name().to_owned());
    status.decision = Some(ScalerDecision {
        reason: decision.reason.name().to_owned(),
        message: decision.message.chars().take(MESSAGE_CHARS_MAX).collect(),
        at: now.to_owned(),
        from: count(observed.replicas),
        to: count(decision.replicas),
        inputs: inputs(&decision.inputs),
    });
    if decision.replicas != observed.replicas {
        status.last_scale_time = Some(now.to_owned());
    }
}

/// Whether the scaler does its work, in kstatus's terms.
pub fn verdict(report: &pb::GroupBacklog, decision: &Decision) -> Verdict {
    let message = decision.message.clone();
    let reason = decision.reason.name();
    let unknown = report.state == "Dead";
    match &decision.reason {
        Reason::Frozen(Freeze::Paused) => Verdict::Ready { message },
        Reason::Frozen(freeze) => Verdict::ReadyBut {
            reason: frozen_reason(freeze).to_owned(),
            message,
        },
        Reason::Held | Reason::Steady if unknown => {
            let message = format!(
                "group {} has neither members nor committed offsets yet; {message}",
                report.group
            );
            Verdict::working("GroupNotFound", message)
        }
        Reason::Held | Reason::Stuck(_) | Reason::NoProgress => Verdict::ReadyBut {
            reason: reason.to_owned(),
            message,
        },
        _ => Verdict::Ready { message },
    }
}

fn frozen_reason(freeze: &Freeze) -> &'static str {
    match freeze {
        Freeze::Stale { .. } => "StaleFigures",
        Freeze::Rolling => "ClusterRolling",
        Freeze::OtherScaler(_) => "OtherScaler",
        Freeze::ForeignMembers(_) => "ForeignMembers",
        Freeze::Paused => "Paused",
    }
}

/// Adds the conditions.
pub fn conclude(
    scaler: &ConsumerScaler,
    mut status: ConsumerScalerStatus,
    verdict: &Verdict,
    now: &str,
) -> ConsumerScalerStatus {
    let generation = scaler.metadata.generation;
    let conditions = scaler.status.as_ref().map(|s| s.conditions.as_slice());
    let before = conditions.unwrap_or_default();
    // Until there is a decision to speak of, the reason says what is waited for.
    if !matches!(verdict, Verdict::Ready { .. }) {
        status.reason = Some(verdict.reason().to_owned());
    }
    status.observed_generation = generation;
    status.conditions = settle(before, &verdict.sayings(), generation, now);
    status
}

/// Whether the new status tells something that the old one does not: another outcome at once,
/// other figures now and then, and of a group with nothing to do nothing at all.
pub fn is_news(
    before: Option<&ConsumerScalerStatus>,
    now: &ConsumerScalerStatus,
    since_written_ms: u64,
) -> bool {
    let Some(before) = before else {
        return true;
    };
    let outcome = |s: &ConsumerScalerStatus| {
        let conditions: Vec<_> = s
            .conditions
            .iter()
            .map(|c| (c.type_.clone(), c.status, c.reason.clone()))
            .collect();
        let wanted = (s.current_replicas, s.desired_replicas);
        let of = (
            s.observed_generation,
            s.reason.clone(),
            s.last_scale_time.clone(),
        );
        (conditions, wanted, of)
    };
    if outcome(before) != outcome(now) {
        return true;
    }
    let idle = |s: &ConsumerScalerStatus| {
        let inputs = s.decision.as_ref().map(|d| &d.inputs);
        s.backlog.unwrap_or(0) == 0 && inputs.is_none_or(|i| i.arrival_rate_milli == 0)
    };
    let both_idle = idle(before) && idle(now);
    !both_idle && since_written_ms >= REFRESH_MS && figures(before) != figures(now)
}

fn figures(status: &ConsumerScalerStatus) -> (Option<&ScalerInputs>, Option<i64>) {
    let inputs = status.decision.as_ref().map(|d| &d.inputs);
    (inputs, status.backlog)
}

fn inputs(inputs: &Inputs) -> ScalerInputs {
    ScalerInputs {
        backlog: number(inputs.backlog),
        excess: number(inputs.excess),
        arrival_rate_milli: number(inputs.arrival_rate_milli),
        commit_rate_milli: number(inputs.commit_rate_milli),
        rate_per_pod_milli: number(inputs.rate_per_pod_milli),
        rate_measured: inputs.rate_measured,
        busiest_load_milli: number(inputs.busiest_load_milli),
        deadline_left_ms: inputs.deadline_left_ms.map(number),
        window_ms: number(inputs.window_ms),
        needed: count(inputs.needed),
        cap: count(inputs.cap),
        partitions_with_work: count(inputs.partitions_with_work),
        members: count(inputs.members),
        ready_pods: count(inputs.ready_pods),
        start_up_ms: number(inputs.start_up_ms),
        commit_interval_ms: number(inputs.commit_interval_ms),
        rebalance_cost_pod_ms: number(inputs.rebalance_cost_pod_ms),
    }
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn count(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
