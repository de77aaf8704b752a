//! What the nodes of brokers tell: cordoned ones lose their leaders, lost ones their replicas.

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use weir_crds::{LeadersAway, LostBroker, QueueCluster, QueueClusterStatus};

use super::observe::{Brokers, Observed, node_name};
use super::scene::Scene;
use crate::conditions::{Verdict, now};

/// Brokers that a status names because of their nodes.
const ROWS_MAX: usize = 10;

/// What a node is good for, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Fine,
    Cordoned,
    NotReady,
    Gone,
}

/// What may be expected of a node; one that is not there is gone.
pub fn state(node: Option<&Node>) -> State {
    let Some(node) = node else { return State::Gone };
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    let ready = |c: &&k8s_openapi::api::core::v1::NodeCondition| c.type_ == "Ready";
    let said = conditions.and_then(|all| all.iter().find(ready));
    // One that says nothing of itself yet has just joined.
    if said.is_some_and(|c| c.status != "True") {
        return State::NotReady;
    }
    let cordoned = node.spec.as_ref().and_then(|s| s.unschedulable) == Some(true);
    if cordoned {
        State::Cordoned
    } else {
        State::Fine
    }
}

/// The node of a broker: its pod's, or the last one that it was on.
fn node_of(observed: &Observed, status: &QueueClusterStatus, broker: i32) -> Option<String> {
    let row = || status.brokers.iter().find(|b| b.id == broker);
    let pod = observed.pods.get(&broker);
    pod.and_then(node_name)
        .or_else(|| row().and_then(|r| r.node.clone()))
}

/// Whether a broker of the cluster is, or was at last, on the node.
pub fn is_on(cluster: &QueueCluster, node: &str) -> bool {
    let rows = cluster.status.iter().flat_map(|s| &s.brokers);
    rows.filter_map(|b| b.node.as_deref()).any(|n| n == node)
}

/// Names of the nodes that have to be looked at.
pub fn wanted(status: &QueueClusterStatus) -> impl Iterator<Item = String> + '_ {
    status.brokers.iter().filter_map(|b| b.node.clone())
}

/// Brokers that the quorum misses and whose nodes are gone. A broker that does not serve on a
/// node that does is no matter of nodes: its volume is there, and so will it be.
pub fn lost(
    observed: &Observed,
    brokers: &Brokers,
    replicas: i32,
    status: &QueueClusterStatus,
) -> Vec<LostBroker> {
    let Some(cluster) = &brokers.cluster else {
        // Nobody can tell now.
        return status.lost.clone();
    };
    let fenced = cluster.brokers.iter().filter(|b| b.fenced);
    let lost = fenced.filter(|b| b.id < replicas).filter_map(|broker| {
        let node = node_of(observed, status, broker.id)?;
        let message = match state(observed.nodes.get(&node)) {
            State::Gone => format!("node {node} is gone"),
            State::NotReady => format!("node {node} is not ready"),
            State::Fine | State::Cordoned => return None,
        };
        let before = status.lost.iter().find(|l| l.broker == broker.id);
        Some(LostBroker {
            broker: broker.id,
            since: before.map_or_else(now, |l| l.since.clone()),
            node,
            message: message.chars().take(250).collect(),
        })
    });
    lost.take(ROWS_MAX).collect()
}

/// Moves leaders off brokers whose nodes were cordoned, once, and lets them lead again when the
/// node is open and the pod is still the same. Each is stored before it is asked for, so that an
/// operator that dies in between leaves nobody without leaders for ever.
pub async fn advance(scene: &Scene<'_>, status: &mut QueueClusterStatus) -> Option<Verdict> {
    let spokesman = scene.brokers.spokesman()?;
    give_back(scene, status).await;
    for at in 0..status.leaders_away.len() {
        let (before, rest) = status.leaders_away.split_at_mut(at);
        if let Some(one) = rest.first_mut()
            && !one.asked
            && !is_open(scene, one)
            && others_lead(scene, before, one.broker)
        {
            one.asked = spokesman.handle.move_leaders_away(one.broker).await.is_ok();
        }
    }
    discover(scene, status)
}

/// Lets brokers lead again whose nodes are open.
pub async fn give_back(scene: &Scene<'_>, status: &mut QueueClusterStatus) {
    let Some(spokesman) = scene.brokers.spokesman() else {
        return;
    };
    let mut kept = Vec::new();
    for one in std::mem::take(&mut status.leaders_away) {
        let pod = scene.observed.pods.get(&one.broker);
        if pod.and_then(ResourceExt::uid).as_ref() != Some(&one.pod_uid) {
            // It registers again with its next pod, and then leads again by itself.
            continue;
        }
        let open = is_open(scene, &one);
        if !open || spokesman.handle.allow_leaders(one.broker).await.is_err() {
            kept.push(one);
            continue;
        }
        let note = format!(
            "node {} is open again: broker {} may lead",
            one.node, one.broker
        );
        scene.event("LeadersAllowed", note).await;
    }
    status.leaders_away = kept;
}

fn is_open(scene: &Scene<'_>, one: &LeadersAway) -> bool {
    state(scene.observed.nodes.get(&one.node)) == State::Fine
}

/// Whether somebody else is there to lead.
fn others_lead(scene: &Scene<'_>, away: &[LeadersAway], broker: i32) -> bool {
    let is_away = |id: i32| away.iter().any(|a| a.asked && a.broker == id);
    let mut all = scene.facts.brokers.iter();
    all.any(|b| b.id != broker && b.serves() && !is_away(b.id))
}

/// Decides on brokers whose nodes were cordoned since the last look.
fn discover(scene: &Scene<'_>, status: &mut QueueClusterStatus) -> Option<Verdict> {
    let mut found = None;
    for (broker, pod) in &scene.observed.pods {
        let known = status.leaders_away.iter().any(|a| a.broker == *broker);
        let Some(node) = node_name(pod).filter(|_| !known) else {
            continue;
        };
        let leaving = pod.metadata.deletion_timestamp.is_some();
        if leaving || state(scene.observed.nodes.get(&node)) != State::Cordoned {
            continue;
        }
        let message = format!("node {node} is cordoned: broker {broker} gives its leaders away");
        found = Some(Verdict::ReadyBut {
            reason: "NodeCordoned".to_owned(),
            message,
        });
        if status.leaders_away.len() < ROWS_MAX {
            status.leaders_away.push(LeadersAway {
                broker: *broker,
                pod_uid: pod.uid().unwrap_or_default(),
                node,
                asked: false,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(spec: serde_json::Value, ready: &str) -> Node {
        let conditions = json!([{"type": "Ready", "status": ready}]);
        let node =
            json!({"metadata": {"name": "n"}, "spec": spec, "status": {"conditions": conditions}});
        serde_json::from_value(node).expect("a node")
    }

    #[test]
    fn a_node_is_judged_by_its_readiness_first() {
        assert_eq!(state(None), State::Gone);
        assert_eq!(state(Some(&node(json!({}), "True"))), State::Fine);
        assert_eq!(state(Some(&node(json!({}), "Unknown"))), State::NotReady);
        let cordoned = json!({"unschedulable": true});
        assert_eq!(
            state(Some(&node(cordoned.clone(), "True"))),
            State::Cordoned
        );
        assert_eq!(state(Some(&node(cordoned, "False"))), State::NotReady);
        assert_eq!(state(Some(&Node::default())), State::Fine);
    }
}
