use anyhow::{Result, bail};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::args::{Format, Target};
use crate::forward;
use crate::output::say;

/// What kubectl stamps; the operator honours it, whoever wrote it.
const STAMP: &str = "kubectl.kubernetes.io/restartedAt";

/// Stamps the brokers' template. The operator restarts them one by one.
pub async fn run(target: &Target, format: Format) -> Result<()> {
    if !target.server.is_empty() {
        bail!("only brokers on Kubernetes can be restarted; --server is for others");
    }
    let (client, namespace) = forward::client(target).await?;
    let cluster = forward::find_cluster(&client, &namespace, target.cluster.as_deref()).await?;
    let sets: Api<StatefulSet> = Api::namespaced(client, &namespace);
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let stamp = json!({"spec": {"template": {"metadata": {"annotations": {
        STAMP: format!("unix-{seconds}"),
    }}}}});
    let name = format!("{cluster}-default");
    sets.patch(&name, &PatchParams::default(), &Patch::Merge(stamp))
        .await?;
    let line =
        format!("the brokers of QueueCluster {namespace}/{cluster} are restarted one by one");
    say(
        format,
        &line,
        &json!({"namespace": namespace, "cluster": cluster, "done": "restartRequested"}),
    )
}
