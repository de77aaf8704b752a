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
    /// This operator may not read the cluster's namespace.
    OutOfReach,
    NotAllowed,
    /// The cluster holds no topic yet.
    NotFormed,
    /// Not now; why.
    NotReady(String),
}

/// Finds a broker to work through.
///
/// # Errors
/// The API server did not answer.
pub async fn access(ctx: &Context, topic: &Topic) -> Result<Access> {
    let cluster = match cluster(ctx, topic).await {
        Ok(cluster) => cluster,
        // An operator of one namespace has no rights in others.
        Err(error) if error.code() == Some(403) => return Ok(Access::OutOfReach),
        Err(error) => return Err(error),
    };
    let Some(cluster) = cluster.filter(|c| c.metadata.deletion_timestamp.is_none()) else {
        return Ok(Access::NoCluster);
    };
    if !allowed(ctx, &topic.namespace().unwrap_or_default(), &cluster).await? {
        return Ok(Access::NotAllowed);
    }
    connect(ctx, &cluster).await
}

/// The cluster that a Topic names, being deleted or not.
///
/// # Errors
/// The API server did not answer, or does not let us read it.
pub async fn cluster(ctx: &Context, topic: &Topic) -> Result<Option<QueueCluster>> {
    let (namespace, name) = topic.cluster_key();
    let api: Api<QueueCluster> = Api::namespaced(ctx.client.clone(), &namespace);
    Ok(api.get_opt(&name).await?)
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
        return Ok(Access::NotFormed);
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

/// Whether resources of a namespace may name the cluster.
///
/// # Errors
/// The API server did not answer.
pub async fn allowed(ctx: &Context, namespace: &str, cluster: &QueueCluster) -> Result<bool> {
    let rule = &cluster.spec.topic_namespaces;
    if Some(namespace) == cluster.namespace().as_deref() {
        return Ok(true);
    }
    let selector = match rule.from {
        NamespacesFrom::Same => return Ok(false),
        NamespacesFrom::All => return Ok(true),
        NamespacesFrom::Selector => rule.selector.as_ref(),
    };
    let api: Api<Namespace> = Api::all(ctx.client.clone());
    let found = api.get_opt(namespace).await?;
    let chosen = selector.zip(found).is_some_and(|(selector, found)| {
        let labels = found.labels();
        let wanted = &selector.match_labels;
        wanted.iter().all(|(k, v)| labels.get(k) == Some(v))
    });
    Ok(chosen)
}

/// The namespace that a Topic lives in.
///
/// # Errors
/// The API server did not answer.
pub async fn home(ctx: &Context, topic: &Topic) -> Result<Option<Namespace>> {
    let api: Api<Namespace> = Api::all(ctx.client.clone());
    Ok(api.get_opt(&topic.namespace().unwrap_or_default()).await?)
}

/// An older resource that wants the same topic and may have it, as namespace/name. To be asked
/// where nobody owns the topic yet.
///
/// # Errors
/// The API server did not answer.
pub async fn elder(ctx: &Context, topic: &Topic) -> Result<Option<String>> {
    let older = ctx.claims.older(topic);
    if older.is_empty() {
        return Ok(None);
    }
    let Some(cluster) = cluster(ctx, topic).await? else {
        return Ok(None);
    };
    for (namespace, name) in older {
        let api: Api<Topic> = Api::namespaced(ctx.client.clone(), &namespace);
        let Some(other) = api.get_opt(&name).await? else {
            continue;
        };
        // One that may not have it does not stand in the way of one that may.
        if wants_same(&other, topic)
            && other.metadata.deletion_timestamp.is_none()
            && allowed(ctx, &other.namespace().unwrap_or_default(), &cluster).await?
        {
            return Ok(Some(format!("{namespace}/{name}")));
        }
    }
    Ok(None)
}

fn wants_same(one: &Topic, other: &Topic) -> bool {
    one.cluster_key() == other.cluster_key() && one.topic_name() == other.topic_name()
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
    Ok(match other.filter(|other| wants_same(other, topic)) {
        Some(_) => Holder::Other(format!("{}/{}", owner.namespace, owner.name)),
        None => Holder::Nobody,
    })
}
