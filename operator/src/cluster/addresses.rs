//! Outside addresses and racks: what is learnt of a pod's node and Services after its start.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod, Service};
use weir_crds::{Listener, ListenerStatus, ListenerType};
use weir_proto::admin as pb;

use super::build::outside_listeners;
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

/// Where clients begin, for the status.
pub fn bootstraps(valid: &Valid, observed: &Observed) -> Vec<ListenerStatus> {
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
                // The same node as long as it is there: statuses should not flap.
                let host = observed.nodes.values().find_map(node_address)?;
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
