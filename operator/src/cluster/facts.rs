//! From what was observed to what the planner sees.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use weir_crds::RollStatus;

use super::observe::{Brokers, Observed};
use super::plan::{BrokerAnswer, BrokerFacts, Facts, PodFacts, RollFacts};

/// The label in which a StatefulSet says from which template it made a pod.
const REVISION: &str = "controller-revision-hash";

pub fn facts(
    observed: &Observed,
    brokers: &Brokers,
    replicas: i32,
    formed: bool,
    roll: Option<&RollStatus>,
) -> Facts {
    let revision = update_revision(observed);
    let broker = |ordinal: i32| BrokerFacts {
        id: ordinal,
        pod: observed
            .pods
            .get(&ordinal)
            .map(|pod| pod_facts(pod, revision.as_deref())),
        answer: answer(brokers, ordinal),
    };
    Facts {
        brokers: (0..replicas).map(broker).collect(),
        controller: brokers.cluster.as_ref().and_then(|c| c.controller_id),
        formed,
        quorum_answers: brokers.cluster.is_some(),
        template_settled: revision.is_some(),
        roll: roll.map(|r| RollFacts {
            broker: r.broker,
            pod_uid: r.pod_uid.clone(),
        }),
    }
}

/// The revision of the newest template, once the StatefulSet controller has seen it.
/// `currentRevision` goes stale with OnDelete and is never looked at (kubernetes#73492).
pub fn update_revision(observed: &Observed) -> Option<String> {
    let set = observed.stateful_set.as_ref()?;
    let status = set.status.as_ref()?;
    let seen = status.observed_generation? >= set.metadata.generation?;
    status.update_revision.clone().filter(|_| seen)
}

fn pod_facts(pod: &Pod, revision: Option<&str>) -> PodFacts {
    PodFacts {
        uid: pod.uid().unwrap_or_default(),
        ready: is_ready(pod),
        running: is_running(pod),
        outdated: is_outdated(pod, revision),
        terminating: pod.metadata.deletion_timestamp.is_some(),
    }
}

pub fn is_outdated(pod: &Pod, revision: Option<&str>) -> bool {
    let of = pod.labels().get(REVISION).map(String::as_str);
    revision.is_some_and(|newest| of != Some(newest))
}

pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

fn is_running(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|s| s.container_statuses.as_ref());
    statuses
        .into_iter()
        .flatten()
        .any(|c| c.state.as_ref().is_some_and(|s| s.running.is_some()))
}

/// What the broker says of itself; the quorum's word where it has one, which a broker that lost
/// its connection has not heard.
fn answer(brokers: &Brokers, ordinal: i32) -> Option<BrokerAnswer> {
    let reached = brokers.reached.get(&ordinal)?.as_ref().ok()?;
    let own = &reached.answer;
    let entry = brokers.entry(own.broker_id);
    Some(BrokerAnswer {
        registered: own.registered && !own.cluster_id.is_empty(),
        fenced: entry.map_or(own.fenced, |b| b.fenced),
        out_of_sync: entry.map_or(own.out_of_sync, |b| b.out_of_sync),
    })
}
