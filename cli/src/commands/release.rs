use anyhow::{Context as _, Result, bail};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use weir_crds::Topic;

use crate::args::{Format, Release, Target};
use crate::forward;
use crate::output::print_json;

/// Topics of one list request.
const PAGE: u32 = 500;

/// Takes our finalizer off Topics that are being deleted, and leaves the data where it is.
pub async fn run(target: &Target, which: &Release, format: Format) -> Result<()> {
    let (client, namespace) = forward::client(target).await?;
    let released = release(client, &namespace, which).await?;
    if format == Format::Json {
        return print_json(&json!({"namespace": namespace, "released": released}));
    }
    for name in &released {
        println!("Topic {namespace}/{name} released; the topic's records stay in the cluster");
    }
    if released.is_empty() {
        println!("no Topic of namespace {namespace} waits for its release");
    }
    Ok(())
}

/// The names of those that were released.
async fn release(client: Client, namespace: &str, which: &Release) -> Result<Vec<String>> {
    let topics: Api<Topic> = Api::namespaced(client, namespace);
    let mut waiting = Vec::new();
    if which.all {
        waiting = held(&topics).await?;
    }
    for name in &which.topics {
        let Some(topic) = topics.get_opt(name).await? else {
            bail!("there is no Topic {namespace}/{name}");
        };
        if topic.metadata.deletion_timestamp.is_none() {
            bail!("Topic {namespace}/{name} is not being deleted: nothing waits for its release");
        }
        if is_held(&topic) {
            waiting.push(topic);
        }
    }
    let mut released = Vec::new();
    for topic in waiting {
        let name = topic.name_any();
        let ours = weir_crds::TOPIC_FINALIZER;
        let kept: Vec<_> = topic.finalizers().iter().filter(|f| *f != ours).collect();
        // The version guards against somebody else's change in between.
        let patch = json!({"metadata": {
            "finalizers": kept,
            "resourceVersion": topic.resource_version(),
        }});
        topics
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .with_context(|| format!("Topic {namespace}/{name}"))?;
        released.push(name);
    }
    Ok(released)
}

fn is_held(topic: &Topic) -> bool {
    let ours = |f: &String| f == weir_crds::TOPIC_FINALIZER;
    topic.metadata.deletion_timestamp.is_some() && topic.finalizers().iter().any(ours)
}

/// Every Topic that only our finalizer, or ours among others, keeps from going.
async fn held(topics: &Api<Topic>) -> Result<Vec<Topic>> {
    let mut found = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = topics.list(&params).await?;
        let next = page.metadata.continue_.filter(|token| !token.is_empty());
        found.extend(page.items.into_iter().filter(is_held));
        match next {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::client::Body;
    use serde_json::Value;
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    type Patches = Arc<Mutex<Vec<(String, Value)>>>;

    /// A namespace with three Topics: one that goes and is held, one that goes and is held by
    /// others, one that stays. What is patched is noted.
    fn api() -> (Client, Patches) {
        let patched = Arc::new(Mutex::new(Vec::new()));
        let noted = patched.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let noted = noted.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.expect("a body");
                let name = parts
                    .uri
                    .path()
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let items = ["held", "others", "stays"].map(topic);
                let mut answer = match name.as_str() {
                    "topics" => json!({"kind": "TopicList", "apiVersion": "weir.dev/v1alpha1",
                        "metadata": {}, "items": items}),
                    name => topic(name),
                };
                if parts.method == http::Method::PATCH {
                    let change: Value = serde_json::from_slice(&body).expect("JSON");
                    answer["metadata"]["finalizers"] = change["metadata"]["finalizers"].clone();
                    noted.lock().expect("lock").push((name, change));
                }
                let body = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(http::Response::new(body))
            }
        });
        (Client::new(service, "shop"), patched)
    }

    fn topic(name: &str) -> Value {
        let mut topic = json!({
            "apiVersion": "weir.dev/v1alpha1", "kind": "Topic",
            "metadata": {"name": name, "namespace": "shop", "resourceVersion": "7"},
            "spec": {"clusterRef": {"name": "demo"}},
        });
        if name != "stays" {
            topic["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        topic["metadata"]["finalizers"] = match name {
            "others" => json!(["example.org/theirs"]),
            _ => json!(["weir.dev/topic", "example.org/theirs"]),
        };
        topic
    }

    fn which(topics: &[&str], all: bool) -> Release {
        let topics = topics.iter().map(|t| (*t).to_owned()).collect();
        Release { topics, all }
    }

    #[tokio::test]
    async fn only_our_finalizer_is_taken_off_and_only_where_it_holds() {
        let (client, patched) = api();
        let released = release(client, "shop", &which(&[], true)).await;
        assert_eq!(released.expect("released"), ["held"]);
        let patched = patched.lock().expect("lock").clone();
        let change = json!({"metadata": {
            "finalizers": ["example.org/theirs"], "resourceVersion": "7",
        }});
        assert_eq!(patched, [("held".to_owned(), change)]);
    }

    #[tokio::test]
    async fn what_is_not_being_deleted_is_refused() {
        let (client, patched) = api();
        let refused = release(client, "shop", &which(&["held", "stays"], false)).await;
        let message = refused.expect_err("one stays").to_string();
        assert!(
            message.contains("shop/stays is not being deleted"),
            "{message}"
        );
        assert!(patched.lock().expect("lock").is_empty());
    }
}
