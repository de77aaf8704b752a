//! Through the Kubernetes API to the brokers' admin ports, with the cluster's own certificates.

use anyhow::{Context as _, Result, bail};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use std::io;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tower::service_fn;
use weir_crds::QueueCluster;

use crate::args::Target;

/// The brokers' admin port.
const ADMIN_PORT: u16 = 9191;
/// On every pod of a cluster, with the cluster's name.
const CLUSTER_LABEL: &str = "weir.dev/cluster";

pub async fn client(target: &Target) -> Result<(Client, String)> {
    let options = KubeConfigOptions {
        context: target.context.clone(),
        ..Default::default()
    };
    let config = match Kubeconfig::read() {
        Ok(file) => Config::from_custom_kubeconfig(file, &options).await?,
        Err(_) => Config::infer()
            .await
            .context("no kubeconfig, and --server is not given")?,
    };
    let namespace = target
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    Ok((Client::try_from(config)?, namespace))
}

/// A channel to each broker pod, or why there is none.
pub async fn channels(target: &Target) -> Result<Vec<(String, Result<Channel>)>> {
    let (client, namespace) = client(target).await?;
    let cluster = find_cluster(&client, &namespace, target.cluster.as_deref()).await?;
    let tls = tls(&client, &namespace, &cluster).await?;
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let selector = format!("{CLUSTER_LABEL}={cluster}");
    let found = pods.list(&ListParams::default().labels(&selector)).await?;
    let mut channels = Vec::new();
    for pod in found.items {
        let name = pod.name_any();
        let domain = format!("{name}.{cluster}-brokers.{namespace}.svc");
        let tls = tls.clone().domain_name(domain);
        let channel = connect(pods.clone(), name.clone(), tls).await;
        channels.push((name, channel));
    }
    if channels.is_empty() {
        bail!("QueueCluster {namespace}/{cluster} has no pods");
    }
    Ok(channels)
}

/// The cluster's name: the one that was said, or the only one of the namespace.
pub async fn find_cluster(client: &Client, namespace: &str, name: Option<&str>) -> Result<String> {
    let clusters: Api<QueueCluster> = Api::namespaced(client.clone(), namespace);
    if let Some(name) = name {
        let found = clusters.get_opt(name).await?;
        return match found {
            Some(_) => Ok(name.to_owned()),
            None => bail!("there is no QueueCluster {namespace}/{name}"),
        };
    }
    let mut all = clusters.list(&ListParams::default()).await?.items;
    match (all.pop(), all.is_empty()) {
        (None, _) => bail!("there is no QueueCluster in namespace {namespace}"),
        (Some(one), true) => Ok(one.name_any()),
        (Some(_), false) => {
            bail!("namespace {namespace} has more than one QueueCluster: choose with --cluster")
        }
    }
}

async fn tls(client: &Client, namespace: &str, cluster: &str) -> Result<ClientTlsConfig> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let name = format!("{cluster}-operator-tls");
    let secret = secrets
        .get(&name)
        .await
        .with_context(|| format!("Secret {namespace}/{name}"))?;
    let data = secret.data.unwrap_or_default();
    let field = |key: &str| {
        data.get(key)
            .map(|v| v.0.clone())
            .with_context(|| format!("Secret {name} has no {key}"))
    };
    Ok(ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(field("ca.crt")?))
        .identity(Identity::from_pem(field("tls.crt")?, field("tls.key")?)))
}

async fn connect(pods: Api<Pod>, pod: String, tls: ClientTlsConfig) -> Result<Channel> {
    let connector = service_fn(move |_| {
        let (pods, pod) = (pods.clone(), pod.clone());
        async move {
            let mut forward = pods
                .portforward(&pod, &[ADMIN_PORT])
                .await
                .map_err(io::Error::other)?;
            let stream = forward
                .take_stream(ADMIN_PORT)
                .ok_or_else(|| io::Error::other("the port-forward has no stream"))?;
            // The forwarder works for as long as it is joined.
            tokio::spawn(forward.join());
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_static("https://broker").tls_config(tls)?;
    Ok(endpoint.connect_with_connector(connector).await?)
}
