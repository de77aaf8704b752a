//! What a Topic finds: its cluster, a broker of it, and who owns the topic. Reads only.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{Api, ResourceExt};
use weir_crds::{BrokerState, NamespacesFrom, QueueCluster, Topic};
use weir_proto::admin as pb;

use crate::admin::{Admin, Endpoint};
use crate::cluster::tls::read_identity;
use crate::context::Context;
use crate::error::Result;
use crate::names::{ADMIN_PORT, Names};

/// Brokers that are tried before the cluster counts as silent.
const TRIES: usize = 3;

/// Whether a Topic can be worked on.
pub enum Access {
    Broker(Arc<dyn Admin>),
    /// There is no such cluster, or it is being deleted.
    NoCluster,
    NotAllowed,
    /// Not now; why.
    NotReady(String),
}

/// Finds a broker to work through.
///
/// # Errors
/// The API server did not answer.
pub async fn access(ctx: &Context, topic: &Topic) -> Result<Access> {
    let (namespace, name) = topic.cluster_key();
    let api: Api<QueueCluster> = Api::namespaced(ctx.client.clone(), &namespace);
    let cluster = api.get_opt(&name).await?;
    let Some(cluster) = cluster.filter(|c| c.metadata.deletion_timestamp.is_none()) else {
        return Ok(Access::NoCluster);
    };
    if !allowed(ctx, topic, &cluster).await? {
        return Ok(Access::NotAllowed);
    }
    connect(ctx, &cluster).await
}

/// A broker of a cluster that answers, the controller if possible.
///
/// # Errors
/// The API server did not answer.
pub async fn connect(ctx: &Context, cluster: &QueueCluster) -> Result<Access> {
    let namespace = cluster.namespace().unwrap_or_default();
    let names = Names::new(&namespace, &cluster.name_any());
    let status = cluster.status.clone().unwrap_or_default();
    if !status.formed {
        return Ok(Access::NotReady("the cluster is not formed yet".to_owned()));
    }
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), &namespace);
    let secret = secrets.get_opt(&names.operator_secret()).await?;
    let Some(identity) = read_identity(secret.as_ref()) else {
        return Ok(Access::NotReady(
            "the cluster has no certificates yet".to_owned(),
        ));
    };
    let up = |s: BrokerState| matches!(s, BrokerState::Ready | BrokerState::CatchingUp);
    let mut rows: Vec<_> = status.brokers.iter().filter(|b| up(b.state)).collect();
    rows.sort_by_key(|b| Some(b.id) != status.controller);
    let mut why = "no broker of the cluster serves".to_owned();
    for row in rows.into_iter().take(TRIES) {
        let endpoint = Endpoint {
            host: names.pod_host(&row.pod),
            port: ADMIN_PORT,
            identity: identity.clone(),
        };
        let broker = ctx.brokers.broker(&endpoint)?;
        match broker.get_broker().await {
            Ok(answer) if answer.registered && !answer.fenced => return Ok(Access::Broker(broker)),
            Ok(_) => why = format!("broker {} is fenced", row.id),
            Err(error) => why = error.to_string(),
        }
    }
    Ok(Access::NotReady(why))
}

async fn allowed(ctx: &Context, topic: &Topic, cluster: &QueueCluster) -> Result<bool> {
    let rule = &cluster.spec.topic_namespaces;
    let namespace = topic.namespace().unwrap_or_default();
    if Some(&namespace) == cluster.namespace().as_ref() {
        return Ok(true);
    }
    match rule.from {
        NamespacesFrom::Same => Ok(false),
        NamespacesFrom::All => Ok(true),
        NamespacesFrom::Selector => {
            let Some(selector) = &rule.selector else {
                return Ok(false);
            };
            let api: Api<Namespace> = Api::all(ctx.client.clone());
            let Some(found) = api.get_opt(&namespace).await? else {
                return Ok(false);
            };
            let labels = found.labels();
            let wanted = &selector.match_labels;
            Ok(wanted.iter().all(|(k, v)| labels.get(k) == Some(v)))
        }
    }
}

/// Who owns a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    Me,
    /// This resource, before it was restored from a backup.
    FormerMe,
    /// Another resource, which still exists.
    Other(String),
}

impl Holder {
    pub fn is_me(&self) -> bool {
        matches!(self, Holder::Me | Holder::FormerMe)
    }
}

/// Who owns the topic, by what its metadata says and which resources there are.
///
/// # Errors
/// The API server did not answer.
pub async fn holder(ctx: &Context, topic: &Topic, live: Option<&pb::Topic>) -> Result<Holder> {
    let Some(owner) = live.and_then(|t| t.owner.as_ref()) else {
        return Ok(Holder::Nobody);
    };
    if Some(&owner.uid) == topic.uid().as_ref() {
        return Ok(Holder::Me);
    }
    let own = (topic.namespace().unwrap_or_default(), topic.name_any());
    if (&owner.namespace, &owner.name) == (&own.0, &own.1) {
        return Ok(Holder::FormerMe);
    }
    let api: Api<Topic> = Api::namespaced(ctx.client.clone(), &owner.namespace);
    let other = api.get_opt(&owner.name).await?;
    let claims = |other: &Topic| {
        other.cluster_key() == topic.cluster_key() && other.topic_name() == topic.topic_name()
    };
    Ok(match other.filter(claims) {
        Some(_) => Holder::Other(format!("{}/{}", owner.namespace, owner.name)),
        None => Holder::Nobody,
    })
}
