use anyhow::{Result, bail};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use weir_crds::Topic;

use crate::args::Target;
use crate::forward;

/// Takes our finalizer off a Topic that is being deleted, and leaves the data where it is.
pub async fn run(target: &Target, name: &str) -> Result<()> {
    let (client, namespace) = forward::client(target).await?;
    let topics: Api<Topic> = Api::namespaced(client, &namespace);
    let Some(topic) = topics.get_opt(name).await? else {
        bail!("there is no Topic {namespace}/{name}");
    };
    if topic.metadata.deletion_timestamp.is_none() {
        bail!("Topic {namespace}/{name} is not being deleted: nothing waits for its release");
    }
    let ours = weir_crds::TOPIC_FINALIZER;
    let kept: Vec<_> = topic.finalizers().iter().filter(|f| *f != ours).collect();
    // The version guards against somebody else's change in between.
    let patch = json!({"metadata": {
        "finalizers": kept,
        "resourceVersion": topic.resource_version(),
    }});
    topics
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    println!("Topic {namespace}/{name} released; the topic's records stay in the cluster");
    Ok(())
}
