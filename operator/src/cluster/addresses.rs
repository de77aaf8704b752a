//! Outside addresses and racks: what is learnt of a pod's node and Services after its start.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod, Service};
use weir_crds::{Listener, ListenerStatus, ListenerType};
use weir_proto::admin as pb;

use super::build::outside_listeners;
use super::nodes::state;
use super::observe::{Observed, node_name};
use super::validate::Valid;

/// Where a broker is reached from outside, for each listener whose address is known by now.
pub fn outside_addresses(valid: &Valid, observed: &Observed, ordinal: i32) -> Vec<pb::Listener> {
    let address = |listener: &Listener| {
        let name = valid.names.listener_service(&listener.name, ordinal);
        let service = observed.services.get(&name)?;
        let (host, port) = match listener.type_ {
            ListenerType::Internal => return None,
            ListenerType::NodePort => {
                let node = observed.pods.get(&ordinal).and_then(node_name)?;
                let host = node_address(observed.nodes.get(&node)?)?;
                (host, node_port(service)?)
            }
            ListenerType::LoadBalancer => (ingress(service)?, listener.port),
        };
        Some(pb::Listener {
            name: listener.name.clone(),
            host,
            port: u32::try_from(port).ok()?,
        })
    };
    outside_listeners(valid).filter_map(address).collect()
}

/// Whether the broker's registration already says all of it.
pub fn known(wanted: &[pb::Listener], registered: &[pb::Listener]) -> bool {
    wanted.iter().all(|listener| registered.contains(listener))
}

/// Where clients begin, for the status; `before` is what it says by now.
pub fn bootstraps(
    valid: &Valid,
    observed: &Observed,
    before: &[ListenerStatus],
) -> Vec<ListenerStatus> {
    let names = &valid.names;
    let bootstrap = |listener: &Listener| -> Option<String> {
        let name = names.listener_bootstrap_service(&listener.name);
        match listener.type_ {
            ListenerType::Internal => {
                let (service, ns) = (names.bootstrap_service(), &names.namespace);
                Some(format!("{service}.{ns}.svc:{}", listener.port))
            }
            ListenerType::NodePort => {
                let port = node_port(observed.services.get(&name)?)?;
                let host = first_node(observed, named_host(before, &listener.name))?;
                Some(format!("{host}:{port}"))
            }
            ListenerType::LoadBalancer => {
                let host = ingress(observed.services.get(&name)?)?;
                Some(format!("{host}:{}", listener.port))
            }
        }
    };
    valid
        .spec
        .listeners
        .iter()
        .map(|listener| ListenerStatus {
            name: listener.name.clone(),
            type_: listener.type_,
            bootstrap: bootstrap(listener),
        })
        .collect()
}

/// The host that a status names for a listener.
fn named_host<'a>(before: &'a [ListenerStatus], listener: &str) -> Option<&'a str> {
    let said = before.iter().find(|l| l.name == listener)?;
    let (host, _) = said.bootstrap.as_deref()?.rsplit_once(':')?;
    Some(host)
}

/// The address of a node to begin at: of those that are best off the one that is named already,
/// or else the first. Statuses should not flap.
fn first_node(observed: &Observed, named: Option<&str>) -> Option<String> {
    let nodes = observed.nodes.values();
    let known = nodes.filter_map(|node| Some((state(Some(node)), node_address(node)?)));
    let best = known.min_by_key(|(state, host)| (*state, named != Some(host.as_str())));
    best.map(|(_, host)| host)
}

/// The rack of a pod's node; `None` while the pod has no node or the node no such label.
pub fn rack(valid: &Valid, pod: &Pod, nodes: &BTreeMap<String, Node>) -> Option<String> {
    let key = &valid.spec.racks.as_ref()?.topology_key;
    let node = nodes.get(&node_name(pod)?)?;
    node.metadata.labels.as_ref()?.get(key).cloned()
}

/// What the broker is told of its rack, as soon as its node is known: `-` if that has none.
pub fn rack_note(valid: &Valid, pod: &Pod, nodes: &BTreeMap<String, Node>) -> Option<String> {
    valid.spec.racks.as_ref()?;
    nodes.get(&node_name(pod)?)?;
    Some(rack(valid, pod, nodes).unwrap_or_else(|| "-".to_owned()))
}

fn node_address(node: &Node) -> Option<String> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    let of = |type_: &str| {
        let found = addresses.iter().find(|a| a.type_ == type_)?;
        Some(found.address.clone())
    };
    of("ExternalIP").or_else(|| of("InternalIP"))
}

fn node_port(service: &Service) -> Option<i32> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    ports.first()?.node_port
}

fn ingress(service: &Service) -> Option<String> {
    let status = service.status.as_ref()?.load_balancer.as_ref()?;
    let first = status.ingress.as_ref()?.first()?;
    first.ip.clone().or_else(|| first.hostname.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Nodes n0, n1 and so on by their readiness; those with a `-` before it are cordoned.
    fn nodes(ready: &[&str]) -> Observed {
        let node = |(at, ready): (usize, &&str)| {
            let name = format!("n{at}");
            let node = json!({
                "metadata": {"name": name},
                "spec": {"unschedulable": ready.starts_with('-')},
                "status": {
                    "addresses": [{"type": "InternalIP", "address": name}],
                    "conditions": [{"type": "Ready", "status": ready.trim_start_matches('-')}],
                },
            });
            let node: Node = serde_json::from_value(node).expect("a node");
            (name, node)
        };
        Observed {
            nodes: ready.iter().enumerate().map(node).collect(),
            ..Observed::default()
        }
    }

    #[test]
    fn clients_begin_at_the_best_node_and_of_equals_at_the_one_that_is_named() {
        let cases = [
            (["True", "True", "True"], None, "n0"),
            (["True", "True", "True"], Some("n2"), "n2"),
            (["True", "True", "True"], Some("gone"), "n0"),
            (["Unknown", "True", "True"], Some("n0"), "n1"),
            (["-True", "True", "True"], Some("n0"), "n1"),
            (["False", "Unknown", "-True"], Some("n0"), "n2"),
            (["-True", "False", "-True"], Some("n2"), "n2"),
            (["False", "Unknown", "False"], None, "n0"),
            (["False", "Unknown", "False"], Some("n1"), "n1"),
        ];
        for (ready, named, first) in cases {
            let found = first_node(&nodes(&ready), named);
            assert_eq!(found.as_deref(), Some(first), "{ready:?}, {named:?}");
        }
    }
}
