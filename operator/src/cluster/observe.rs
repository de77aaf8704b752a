//! What is there: reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    ConfigMap, Node, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::core::{Selector, SelectorExt};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use weir_crds::QueueClusterStatus;
use weir_proto::admin as pb;

use super::nodes as broker_nodes;
use super::validate::Valid;
use crate::admin::{Admin, Connector, Endpoint, Identity};
use crate::error::Result;
use crate::names::{ADMIN_PORT, Names, ordinal};

/// Objects of one list request.
const PAGE: u32 = 500;

/// What Kubernetes has of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub stateful_set: Option<StatefulSet>,
    /// By ordinal.
    pub pods: BTreeMap<i32, Pod>,
    pub claims: BTreeMap<i32, PersistentVolumeClaim>,
    pub services: BTreeMap<String, Service>,
    pub config_maps: BTreeMap<String, ConfigMap>,
    pub secrets: BTreeMap<String, Secret>,
    pub budget: Option<PodDisruptionBudget>,
    pub account: Option<ServiceAccount>,
    /// The nodes that brokers are or were on; one that is missing here is gone.
    pub nodes: BTreeMap<String, Node>,
}

/// A broker's answer, and a handle to go on with.
#[derive(Clone)]
pub struct Reached {
    pub handle: Arc<dyn Admin>,
    pub answer: pb::GetBrokerResponse,
}

/// What the brokers say.
#[derive(Clone, Default)]
pub struct Brokers {
    /// By ordinal: those that answered, and why the others did not.
    pub reached: BTreeMap<i32, Result<Reached, String>>,
    /// The cluster as its controller sees it, or else another broker.
    pub cluster: Option<pb::DescribeClusterResponse>,
}

impl Brokers {
    pub fn answering(&self) -> impl Iterator<Item = (i32, &Reached)> {
        let answered = |(n, r): (&i32, _)| Result::ok(Result::as_ref(r)).map(|r| (*n, r));
        self.reached.iter().filter_map(answered)
    }

    /// A broker to ask about the cluster or to change it through: the controller, or else any
    /// that belongs to the cluster and is not fenced.
    pub fn spokesman(&self) -> Option<&Reached> {
        let member = |r: &&Reached| !r.answer.cluster_id.is_empty();
        let controller = self
            .answering()
            .map(|(_, r)| r)
            .filter(member)
            .find(|r| r.answer.controller_id == Some(r.answer.broker_id));
        controller.or_else(|| {
            let serving = |r: &&Reached| r.answer.registered && !r.answer.fenced;
            self.answering()
                .map(|(_, r)| r)
                .filter(member)
                .find(serving)
        })
    }

    /// The quorum's entry of a broker.
    pub fn entry(&self, id: i32) -> Option<&pb::Broker> {
        let cluster = self.cluster.as_ref()?;
        cluster.brokers.iter().find(|b| b.id == id)
    }
}

/// Lists everything that belongs to the cluster.
///
/// # Errors
/// The API server did not answer, or refused.
pub async fn observe(
    client: &Client,
    valid: &Valid,
    status: &QueueClusterStatus,
) -> Result<Observed> {
    let names = &valid.names;
    let owned = names.owned_selector();
    let (sets, pods, claims, services, maps, secrets, budgets, accounts) = futures::try_join!(
        list::<StatefulSet>(client, names, &owned),
        list::<Pod>(client, names, &owned),
        list::<PersistentVolumeClaim>(client, names, &owned),
        list::<Service>(client, names, &owned),
        list::<ConfigMap>(client, names, &owned),
        list::<Secret>(client, names, &owned),
        list::<PodDisruptionBudget>(client, names, &owned),
        list::<ServiceAccount>(client, names, &owned),
    )?;
    let set_name = names.stateful_set();
    let mut observed = Observed {
        stateful_set: sets.into_iter().find(|s| s.name_any() == set_name),
        pods: by_ordinal(pods),
        claims: by_ordinal(claims),
        services: by_name(services),
        config_maps: by_name(maps),
        secrets: by_name(secrets),
        budget: budgets.into_iter().find(|b| b.name_any() == names.budget()),
        account: accounts
            .into_iter()
            .find(|a| a.name_any() == names.service_account()),
        nodes: BTreeMap::new(),
    };
    let mut names: BTreeSet<String> = observed.pods.values().filter_map(node_name).collect();
    names.extend(broker_nodes::wanted(status));
    observed.nodes = nodes(client, names).await?;
    Ok(observed)
}

async fn list<K>(client: &Client, names: &Names, labels: &str) -> Result<Vec<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), &names.namespace);
    let mut params = ListParams::default().labels(labels).limit(PAGE);
    let mut items = Vec::new();
    loop {
        let page = api.list(&params).await?;
        let next = page.metadata.continue_.clone().unwrap_or_default();
        items.extend(page.items.into_iter().map(|mut item| {
            item.managed_fields_mut().clear();
            item
        }));
        if next.is_empty() {
            return Ok(items);
        }
        params = params.continue_token(&next);
    }
}

/// A disruption budget of somebody else that selects the pod.
///
/// # Errors
/// The API server did not answer, or refused.
pub async fn foreign_budget(client: &Client, names: &Names, pod: &Pod) -> Result<Option<String>> {
    let budgets = list::<PodDisruptionBudget>(client, names, "").await?;
    let selects = |budget: &PodDisruptionBudget| {
        let selector = budget.spec.as_ref().and_then(|s| s.selector.clone());
        // None selects nothing, an empty one everything; what cannot be read may select it.
        selector.is_some_and(|s| Selector::try_from(s).map_or(true, |s| s.matches(pod.labels())))
    };
    let others = budgets
        .into_iter()
        .filter(|b| b.name_any() != names.budget());
    Ok(others.into_iter().find(selects).map(|b| b.name_any()))
}

fn by_name<K: Resource>(items: Vec<K>) -> BTreeMap<String, K> {
    items.into_iter().map(|i| (i.name_any(), i)).collect()
}

fn by_ordinal<K: Resource>(items: Vec<K>) -> BTreeMap<i32, K> {
    let numbered = |item: K| ordinal(&item.name_any()).map(|n| (n, item));
    items.into_iter().filter_map(numbered).collect()
}

async fn nodes(client: &Client, names: BTreeSet<String>) -> Result<BTreeMap<String, Node>> {
    let api: Api<Node> = Api::all(client.clone());
    let mut nodes = BTreeMap::new();
    for name in names {
        // A node may be gone before its pods are.
        if let Some(node) = api.get_opt(&name).await? {
            nodes.insert(name, node);
        }
    }
    Ok(nodes)
}

pub fn node_name(pod: &Pod) -> Option<String> {
    pod.spec.as_ref().and_then(|s| s.node_name.clone())
}

/// Asks every broker that has a pod, all at once.
pub async fn ask(
    connector: &Arc<dyn Connector>,
    names: &Names,
    identity: &Arc<Identity>,
    pods: &BTreeMap<i32, Pod>,
) -> Brokers {
    let questions = pods.iter().map(|(ordinal, pod)| async move {
        let endpoint = Endpoint {
            host: names.pod_host(&pod.name_any()),
            port: ADMIN_PORT,
            identity: identity.clone(),
        };
        (*ordinal, reach(connector, &endpoint).await)
    });
    let mut brokers = Brokers {
        reached: join_all(questions).await.into_iter().collect(),
        cluster: None,
    };
    if let Some(spokesman) = brokers.spokesman() {
        // Without an answer the cluster counts as unknown, and nothing is done to it.
        brokers.cluster = spokesman.handle.describe_cluster().await.ok();
    }
    brokers
}

async fn reach(connector: &Arc<dyn Connector>, at: &Endpoint) -> Result<Reached, String> {
    let handle = connector.broker(at).map_err(|e| e.to_string())?;
    let answer = handle.get_broker().await.map_err(|e| e.to_string())?;
    Ok(Reached { handle, answer })
}
