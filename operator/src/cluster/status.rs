//! What is said about a cluster.

use weir_crds::{
    BROKER_ROWS_MAX, BrokerState, BrokerStatus, PartitionTotals, QueueCluster, QueueClusterStatus,
};

use super::addresses::{bootstraps, rack};
use super::facts::{is_outdated, update_revision};
use super::observe::{Brokers, Observed, node_name};
use super::plan::{BrokerFacts, Facts};
use super::validate::Valid;
use crate::conditions::{Verdict, settle};

/// The status with what was observed; conditions are left to `conclude`.
pub fn describe(
    valid: &Valid,
    observed: &Observed,
    brokers: &Brokers,
    facts: &Facts,
    status: &mut QueueClusterStatus,
) {
    let revision = update_revision(observed);
    let serving = |b: &&BrokerFacts| {
        let ready = b.pod.as_ref().is_some_and(|p| p.ready && !p.terminating);
        ready && b.answer.is_some_and(|a| a.registered && !a.fenced)
    };
    let updated = |pod: &&k8s_openapi::api::core::v1::Pod| {
        revision.is_some() && !is_outdated(pod, revision.as_deref())
    };
    status.version = Some(valid.version.clone());
    status.selector = Some(valid.names.selector_text());
    status.replicas = count(observed.pods.len());
    status.ready_replicas = count(facts.brokers.iter().filter(serving).count());
    status.updated_replicas = count(observed.pods.values().filter(updated).count());
    status.listeners = bootstraps(valid, observed, &status.listeners);
    if let Some(cluster) = &brokers.cluster {
        status.controller = cluster.controller_id;
        status.partitions = Some(PartitionTotals {
            topics: bounded(cluster.topics),
            total: bounded(cluster.partitions),
            offline: bounded(cluster.offline_partitions),
            under_replicated: bounded(cluster.under_replicated_partitions),
        });
    }
    let before = std::mem::take(&mut status.brokers);
    status.brokers = facts
        .brokers
        .iter()
        .take(BROKER_ROWS_MAX)
        .map(|broker| {
            let before = before.iter().find(|b| b.id == broker.id);
            row(valid, observed, brokers, broker, before)
        })
        .collect();
}

fn row(
    valid: &Valid,
    observed: &Observed,
    brokers: &Brokers,
    facts: &BrokerFacts,
    before: Option<&BrokerStatus>,
) -> BrokerStatus {
    let pod = observed.pods.get(&facts.id);
    let reached = brokers.reached.get(&facts.id).and_then(|r| r.as_ref().ok());
    let entry = brokers.entry(facts.id);
    BrokerStatus {
        id: facts.id,
        pod: valid.names.pod(facts.id),
        node: pod
            .and_then(node_name)
            .or_else(|| before.and_then(|b| b.node.clone())),
        state: state(facts),
        rack: entry
            .and_then(|e| e.rack.clone())
            .or_else(|| rack(valid, pod?, &observed.nodes)),
        version: reached.map(|r| r.answer.version.clone()),
        updated: facts.pod.as_ref().is_some_and(|p| !p.outdated),
        replicas: entry.map_or(0, |e| bounded(e.replicas)),
        out_of_sync: entry.map_or(0, |e| bounded(e.out_of_sync)),
    }
}

fn state(facts: &BrokerFacts) -> BrokerState {
    match (&facts.pod, facts.answer) {
        (None, _) => BrokerState::Missing,
        (Some(pod), _) if pod.terminating => BrokerState::Restarting,
        (Some(_), None) => BrokerState::Unreachable,
        (Some(_), Some(a)) if a.fenced || !a.registered => BrokerState::Fenced,
        (Some(_), Some(a)) if a.out_of_sync > 0 => BrokerState::CatchingUp,
        (Some(pod), Some(_)) if pod.ready => BrokerState::Ready,
        _ => BrokerState::Fenced,
    }
}

/// The verdict when nothing is under way but what the brokers themselves do.
pub fn judge(facts: &Facts, brokers: &Brokers, formed: bool) -> Verdict {
    let ailing: Vec<String> = facts
        .brokers
        .iter()
        .filter_map(|b| b.ailment().map(|why| format!("broker {}: {why}", b.id)))
        .take(10)
        .collect();
    let total = facts.brokers.len();
    if !formed {
        let silent = brokers
            .reached
            .get(&0)
            .and_then(|r| r.as_ref().err().cloned());
        let why = silent.unwrap_or_else(|| "broker 0 has no pod yet".to_owned());
        return Verdict::working(
            "Starting",
            format!("the first quorum waits for broker 0: {why}"),
        );
    }
    let Some(cluster) = &brokers.cluster else {
        let list = ailing.join("; ");
        return Verdict::working(
            "NoQuorum",
            format!("no broker speaks for the quorum; {list}"),
        );
    };
    if cluster.offline_partitions > 0 {
        let n = cluster.offline_partitions;
        let list = ailing.join("; ");
        return Verdict::working(
            "PartitionsOffline",
            format!("{n} partitions have no leader; {list}"),
        );
    }
    if ailing.is_empty() {
        return Verdict::Ready {
            message: format!("{total} of {total} brokers serve"),
        };
    }
    let catching_up = facts.brokers.iter().all(|b| {
        let answers = b.answer.is_some_and(|a| a.registered && !a.fenced);
        answers && b.pod.as_ref().is_some_and(|p| p.ready)
    });
    if catching_up {
        return Verdict::ReadyBut {
            reason: "CatchingUp".to_owned(),
            message: ailing.join("; "),
        };
    }
    Verdict::working("BrokersNotReady", ailing.join("; "))
}

/// Adds the conditions.
pub fn conclude(
    cluster: &QueueCluster,
    mut status: QueueClusterStatus,
    verdict: &Verdict,
    now: &str,
) -> QueueClusterStatus {
    let generation = cluster.metadata.generation;
    let before = cluster
        .status
        .as_ref()
        .map(|s| s.conditions.clone())
        .unwrap_or_default();
    status.observed_generation = generation;
    status.conditions = settle(&before, &verdict.sayings(), generation, now);
    status
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn bounded(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
