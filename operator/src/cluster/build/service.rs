//! Services: the brokers' own names, the way in for clients, and outside addresses.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use weir_crds::{ExternalTrafficPolicy, Listener, ListenerType};

use super::meta;
use crate::cluster::validate::Valid;
use crate::names::OWN_PORTS;

/// Listeners whose addresses are learnt after start.
pub fn outside_listeners(valid: &Valid) -> impl Iterator<Item = &Listener> {
    let outside = |l: &&Listener| l.type_ != ListenerType::Internal;
    valid.spec.listeners.iter().filter(outside)
}

/// Every Service of the cluster, for `replicas` brokers.
pub fn build_services(valid: &Valid, owner: &OwnerReference, replicas: i32) -> Vec<Service> {
    let mut services = vec![brokers(valid, owner), bootstrap(valid, owner)];
    for listener in outside_listeners(valid) {
        services.push(outside_bootstrap(valid, owner, listener));
        for ordinal in 0..replicas {
            services.push(outside(valid, owner, listener, ordinal));
        }
    }
    services
}

fn port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(number)),
        ..ServicePort::default()
    }
}

/// Names for each pod. Brokers must find each other before they are ready.
fn brokers(valid: &Valid, owner: &OwnerReference) -> Service {
    let own = OWN_PORTS.iter().map(|(name, n)| port(name, i32::from(*n)));
    let mut ports: Vec<ServicePort> = own.collect();
    ports.extend(valid.spec.listeners.iter().map(|l| port(&l.name, l.port)));
    Service {
        metadata: meta(valid, owner, valid.names.brokers_service()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            ports: Some(ports),
            publish_not_ready_addresses: Some(true),
            selector: Some(valid.names.selector()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// Where clients inside begin: only brokers that serve.
fn bootstrap(valid: &Valid, owner: &OwnerReference) -> Service {
    let internal = |l: &&Listener| l.type_ == ListenerType::Internal;
    let ports = valid.spec.listeners.iter().filter(internal);
    Service {
        metadata: meta(valid, owner, valid.names.bootstrap_service()),
        spec: Some(ServiceSpec {
            ports: Some(ports.map(|l| port(&l.name, l.port)).collect()),
            publish_not_ready_addresses: Some(false),
            selector: Some(valid.names.selector()),
            type_: Some("ClusterIP".to_owned()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn service_type(listener: &Listener) -> &'static str {
    match listener.type_ {
        ListenerType::Internal => "ClusterIP",
        ListenerType::NodePort => "NodePort",
        ListenerType::LoadBalancer => "LoadBalancer",
    }
}

/// Metadata of a Service for clients outside.
fn outside_meta(
    valid: &Valid,
    owner: &OwnerReference,
    listener: &Listener,
    name: String,
) -> ObjectMeta {
    let annotations = &listener.annotations;
    ObjectMeta {
        annotations: (!annotations.is_empty()).then(|| annotations.clone()),
        ..meta(valid, owner, name)
    }
}

fn traffic_policy(listener: &Listener) -> Option<String> {
    let policy = match listener.external_traffic_policy? {
        ExternalTrafficPolicy::Cluster => "Cluster",
        ExternalTrafficPolicy::Local => "Local",
    };
    Some(policy.to_owned())
}

/// Where clients outside begin.
fn outside_bootstrap(valid: &Valid, owner: &OwnerReference, listener: &Listener) -> Service {
    let name = valid.names.listener_bootstrap_service(&listener.name);
    Service {
        metadata: outside_meta(valid, owner, listener, name),
        spec: Some(ServiceSpec {
            external_traffic_policy: traffic_policy(listener),
            ports: Some(vec![port(&listener.name, listener.port)]),
            publish_not_ready_addresses: Some(false),
            selector: Some(valid.names.selector()),
            type_: Some(service_type(listener).to_owned()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// One broker from outside. It is reachable before it is ready: a client that is sent to it
/// must find it the moment it leads.
fn outside(valid: &Valid, owner: &OwnerReference, listener: &Listener, ordinal: i32) -> Service {
    let pod = (
        "statefulset.kubernetes.io/pod-name",
        valid.names.pod(ordinal),
    );
    let selector = BTreeMap::from([(pod.0.to_owned(), pod.1)]);
    let name = valid.names.listener_service(&listener.name, ordinal);
    Service {
        metadata: outside_meta(valid, owner, listener, name),
        spec: Some(ServiceSpec {
            external_traffic_policy: traffic_policy(listener),
            ports: Some(vec![port(&listener.name, listener.port)]),
            publish_not_ready_addresses: Some(true),
            selector: Some(selector),
            type_: Some(service_type(listener).to_owned()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
