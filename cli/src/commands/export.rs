use anyhow::{Result, bail};
use std::collections::BTreeMap;
use weir_crds::{DeletionPolicy, Topic};
use weir_proto::admin as pb;

use crate::args::{Export, Target};
use crate::brokers::Brokers;
use crate::forward;
use crate::manifest::{self, Home};
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, ResourceExt as _};

/// Objects of one list request.
const PAGE: u32 = 500;

/// Prints the manifests of a cluster's topics, and of the cluster itself and the ConsumerScalers
/// that name it where it is one of Kubernetes. YAML in any case: JSON is no other manifest.
pub async fn run(target: &Target, args: &Export) -> Result<()> {
    let found = find(target).await?;
    let brokers = Brokers::connect(target).await?;
    let request = pb::ListTopicsRequest { internal: false };
    let answer = brokers.any().list_topics(request).await?;
    let topics = chosen(answer.into_inner().topics, &args.topics)?;
    let home = Home {
        cluster: found.cluster.clone(),
        cluster_namespace: found.namespace.clone(),
        namespace: args
            .topic_namespace
            .clone()
            .or_else(|| found.namespace.clone()),
    };
    let policies = policies(found.client.as_ref(), &topics).await?;
    let mut documents = Vec::new();
    let whole = !args.topics_only && args.topics.is_empty();
    let client = found.client.as_ref().filter(|_| whole);
    if let Some(client) = client {
        documents.push(cluster(client, &found).await?);
    }
    documents.extend(manifest::topics(&home, &topics, &policies)?);
    if let Some(client) = client {
        documents.extend(scalers(client, &found).await?);
    }
    print!("{}", documents.join("---\n"));
    Ok(())
}

/// Where the cluster is, as its resources name it.
struct Found {
    client: Option<Client>,
    cluster: String,
    namespace: Option<String>,
}

async fn find(target: &Target) -> Result<Found> {
    if target.server.is_empty() {
        let (client, namespace) = forward::client(target).await?;
        let name = target.cluster.as_deref();
        let cluster = forward::find_cluster(&client, &namespace, name).await?;
        return Ok(Found {
            client: Some(client),
            cluster,
            namespace: Some(namespace),
        });
    }
    let Some(cluster) = target.cluster.clone() else {
        bail!("brokers do not know the name of their QueueCluster: say it with --cluster");
    };
    Ok(Found {
        client: None,
        cluster,
        namespace: target.namespace.clone(),
    })
}

/// All topics, or those that were named, in order.
fn chosen(mut topics: Vec<pb::Topic>, names: &[String]) -> Result<Vec<pb::Topic>> {
    let missing = names
        .iter()
        .find(|name| !topics.iter().any(|t| t.name == **name));
    if let Some(name) = missing {
        bail!("there is no topic {name}");
    }
    if !names.is_empty() {
        topics.retain(|t| names.contains(&t.name));
    }
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(topics)
}

/// The deletion policies of the resources that own topics; brokers do not know them.
async fn policies(
    client: Option<&Client>,
    topics: &[pb::Topic],
) -> Result<BTreeMap<String, DeletionPolicy>> {
    let mut found = BTreeMap::new();
    let Some(client) = client else {
        return Ok(found);
    };
    for topic in topics {
        let Some(owner) = &topic.owner else { continue };
        let api: Api<Topic> = Api::namespaced(client.clone(), &owner.namespace);
        if let Some(resource) = api.get_opt(&owner.name).await?
            && resource.uid().as_ref() == Some(&owner.uid)
        {
            found.insert(topic.name.clone(), resource.spec.deletion_policy);
        }
    }
    Ok(found)
}

/// The cluster's resource as it would be applied. Read without types, so that fields that this
/// program does not know are not lost.
async fn cluster(client: &Client, found: &Found) -> Result<String> {
    let namespace = found.namespace.clone().unwrap_or_default();
    let resource = ApiResource::erase::<weir_crds::QueueCluster>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    manifest::stripped("QueueCluster", &api.get(&found.cluster).await?)
}

/// The ConsumerScalers of the cluster, in whichever namespaces this user may list them.
async fn scalers(client: &Client, found: &Found) -> Result<Vec<String>> {
    let resource = ApiResource::erase::<weir_crds::ConsumerScaler>(&());
    let everywhere: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let home = found.namespace.clone().unwrap_or_default();
    let objects = match listed(&everywhere).await {
        Err(kube::Error::Api(refused)) if refused.code == 403 => {
            eprintln!(
                "weir: only ConsumerScalers of namespace {home} are exported: {}",
                refused.message
            );
            listed(&Api::namespaced_with(client.clone(), &home, &resource)).await?
        }
        answer => answer?,
    };
    let ours = |object: &&DynamicObject| {
        let cluster = &object.data["spec"]["clusterRef"];
        let namespace = cluster["namespace"].as_str().map(str::to_owned);
        cluster["name"].as_str() == Some(&found.cluster)
            && namespace.or_else(|| object.namespace()) == found.namespace
    };
    objects
        .iter()
        .filter(ours)
        .map(|object| manifest::stripped("ConsumerScaler", object))
        .collect()
}

async fn listed(api: &Api<DynamicObject>) -> kube::Result<Vec<DynamicObject>> {
    let mut found = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}
