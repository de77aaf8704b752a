//! Names and labels of what belongs to a cluster.

use std::collections::BTreeMap;

/// Value of `app.kubernetes.io/managed-by` on all that is ours.
pub const MANAGER: &str = "weir-operator";
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Names the QueueCluster on all that belongs to it.
pub const CLUSTER_LABEL: &str = "weir.dev/cluster";
pub const POOL_LABEL: &str = "weir.dev/pool";
/// The only pool there is yet.
pub const POOL: &str = "default";

/// Ports that every broker has beside its listeners.
pub const PEER_PORT: u16 = 9190;
pub const ADMIN_PORT: u16 = 9191;
pub const HEALTH_PORT: u16 = 9192;
/// The same ports as pods and Services name them.
pub const OWN_PORTS: [(&str, u16); 3] = [
    ("peer", PEER_PORT),
    ("admin", ADMIN_PORT),
    ("health", HEALTH_PORT),
];

/// Ordinals that every broker asks for the cluster, whether they exist or not: the list must not
/// depend on the number of brokers, or scaling out would restart them all.
pub const SEEDS: i32 = 3;

/// Names derived from that of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub namespace: String,
    pub cluster: String,
}

impl Names {
    pub fn new(namespace: &str, cluster: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            cluster: cluster.to_owned(),
        }
    }

    pub fn stateful_set(&self) -> String {
        format!("{}-{POOL}", self.cluster)
    }

    pub fn brokers_service(&self) -> String {
        format!("{}-brokers", self.cluster)
    }

    pub fn bootstrap_service(&self) -> String {
        format!("{}-bootstrap", self.cluster)
    }

    pub fn listener_bootstrap_service(&self, listener: &str) -> String {
        format!("{}-{listener}-bootstrap", self.cluster)
    }

    pub fn listener_service(&self, listener: &str, ordinal: i32) -> String {
        format!("{}-{listener}-{ordinal}", self.cluster)
    }

    pub fn service_account(&self) -> String {
        format!("{}-broker", self.cluster)
    }

    pub fn budget(&self) -> String {
        format!("{}-brokers", self.cluster)
    }

    /// Where the StatefulSet is put away while its volumes grow.
    pub fn growth(&self) -> String {
        format!("{}-growth", self.cluster)
    }

    pub fn ca_secret(&self) -> String {
        format!("{}-ca", self.cluster)
    }

    pub fn broker_secret(&self) -> String {
        format!("{}-broker-tls", self.cluster)
    }

    pub fn operator_secret(&self) -> String {
        format!("{}-operator-tls", self.cluster)
    }

    pub fn pod(&self, ordinal: i32) -> String {
        format!("{}-{ordinal}", self.stateful_set())
    }

    pub fn claim(&self, ordinal: i32) -> String {
        format!("data-{}", self.pod(ordinal))
    }

    /// A pod's address inside the Kubernetes cluster; the domain is left to the resolver.
    pub fn pod_host(&self, pod: &str) -> String {
        format!("{pod}.{}.{}.svc", self.brokers_service(), self.namespace)
    }

    /// Labels that select the cluster's pods; they can never change.
    pub fn selector(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("app.kubernetes.io/name".to_owned(), "weir".to_owned()),
            (
                "app.kubernetes.io/instance".to_owned(),
                self.cluster.clone(),
            ),
            (POOL_LABEL.to_owned(), POOL.to_owned()),
        ])
    }

    /// Labels of everything that belongs to the cluster.
    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("app.kubernetes.io/name".to_owned(), "weir".to_owned()),
            (
                "app.kubernetes.io/instance".to_owned(),
                self.cluster.clone(),
            ),
            (MANAGED_BY.to_owned(), MANAGER.to_owned()),
            (CLUSTER_LABEL.to_owned(), self.cluster.clone()),
        ])
    }

    /// The labels as a selector's text.
    pub fn selector_text(&self) -> String {
        let pairs: Vec<String> = self
            .selector()
            .into_iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        pairs.join(",")
    }

    /// The label selector of everything that belongs to the cluster.
    pub fn owned_selector(&self) -> String {
        format!("{MANAGED_BY}={MANAGER},{CLUSTER_LABEL}={}", self.cluster)
    }
}

/// The ordinal at the end of a pod's name.
pub fn ordinal(pod: &str) -> Option<i32> {
    pod.rsplit_once('-').and_then(|(_, n)| n.parse().ok())
}
