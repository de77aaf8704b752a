//! Manifests of what there is, such that applying them changes nothing.

use anyhow::Result;
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_crds::{DeletionPolicy, TopicConfig};
use weir_proto::admin as pb;

const API: &str = "weir.dev/v1alpha1";
/// Longest name of a resource.
const NAME_BYTES_MAX: usize = 253;
/// Written by tools; they mean nothing to whoever applies the manifest.
const TOOLS_ANNOTATIONS: [&str; 1] = ["kubectl.kubernetes.io/last-applied-configuration"];

/// Where Topics are written to, and whom they name.
pub struct Home {
    pub cluster: String,
    pub cluster_namespace: Option<String>,
    /// Of topics that no resource owns.
    pub namespace: Option<String>,
}

/// A document for each topic, in their order.
pub fn topics(
    home: &Home,
    topics: &[pb::Topic],
    policies: &BTreeMap<String, DeletionPolicy>,
) -> Result<Vec<String>> {
    let mut taken: BTreeSet<(Option<String>, String)> = BTreeSet::new();
    // Names that somebody gave go first: nobody else may be given them.
    let own = |t: &pb::Topic| match &t.owner {
        Some(owner) => Some((Some(owner.namespace.clone()), owner.name.clone())),
        None => is_name(&t.name).then(|| (home.namespace.clone(), t.name.clone())),
    };
    taken.extend(topics.iter().filter_map(own));
    let mut documents = Vec::new();
    for topic in topics {
        let (namespace, name) = match own(topic) {
            Some(named) => named,
            None => {
                let name = derived(&topic.name, |name| {
                    taken.contains(&(home.namespace.clone(), name.to_owned()))
                });
                taken.insert((home.namespace.clone(), name.clone()));
                (home.namespace.clone(), name)
            }
        };
        let policy = policies.get(&topic.name).copied().unwrap_or_default();
        documents.push(document(home, topic, namespace.as_deref(), &name, policy)?);
    }
    Ok(documents)
}

fn document(
    home: &Home,
    topic: &pb::Topic,
    namespace: Option<&str>,
    name: &str,
    policy: DeletionPolicy,
) -> Result<String> {
    let settings: BTreeMap<String, String> = topic.config.clone().into_iter().collect();
    let (config, rest) = TopicConfig::from_kafka(&settings);
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    let mut cluster = json!({"name": home.cluster});
    if let Some(of) = home
        .cluster_namespace
        .as_deref()
        .filter(|_| namespace != home.cluster_namespace.as_deref())
    {
        cluster["namespace"] = json!(of);
    }
    let mut spec = json!({"clusterRef": cluster, "partitions": topic.partitions.len()});
    if name != topic.name {
        spec["name"] = json!(topic.name);
    }
    if let Some(first) = topic.partitions.first() {
        spec["replicationFactor"] = json!(first.replicas.len());
    }
    if config != TopicConfig::default() {
        spec["config"] = serde_json::to_value(&config)?;
    }
    if policy != DeletionPolicy::default() {
        spec["deletionPolicy"] = serde_json::to_value(policy)?;
    }
    let mut text = String::new();
    for (name, value) in rest {
        let value = value.replace(['\n', '\r'], " ");
        text.push_str(&format!(
            "# {name}={value} is set too; no field says it, and adopting leaves it alone.\n"
        ));
    }
    let object = json!({"apiVersion": API, "kind": "Topic", "metadata": metadata, "spec": spec});
    text.push_str(&yaml(&object)?);
    Ok(text)
}

/// A resource of ours without what the API server added to it.
pub fn stripped(kind: &str, object: &DynamicObject) -> Result<String> {
    let mut metadata = json!({"name": object.name_any()});
    if let Some(namespace) = object.namespace() {
        metadata["namespace"] = json!(namespace);
    }
    let mut annotations = object.annotations().clone();
    annotations.retain(|name, _| !TOOLS_ANNOTATIONS.contains(&name.as_str()));
    for (key, map) in [("labels", object.labels()), ("annotations", &annotations)] {
        if !map.is_empty() {
            metadata[key] = json!(map);
        }
    }
    let mut out = json!({"apiVersion": API, "kind": kind, "metadata": metadata});
    out["spec"] = object.data["spec"].clone();
    yaml(&out)
}

fn yaml(value: &Value) -> Result<String> {
    let mut text = serde_saphyr::to_string(value)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Whether a topic's name can be that of a resource: an RFC 1123 subdomain.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |label: &str| {
        label.starts_with(plain)
            && label.ends_with(plain)
            && label.chars().all(|c| plain(c) || c == '-')
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(label)
}

/// A resource's name for a topic whose own cannot be one.
fn derived(topic: &str, taken: impl Fn(&str) -> bool) -> String {
    let lower = topic.to_ascii_lowercase().replace('_', "-");
    let labels: Vec<&str> = lower
        .split('.')
        .map(|label| label.trim_matches('-'))
        .filter(|label| !label.is_empty())
        .collect();
    let name = labels.join(".");
    if is_name(&name) && !taken(&name) {
        return name;
    }
    // FNV-1a: the same topic gets the same name every time.
    let hash = topic.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let room = NAME_BYTES_MAX - 9;
    let short: String = name.chars().take(room).collect();
    let stem = short.trim_end_matches(['-', '.']);
    if stem.is_empty() {
        format!("topic-{hash:08x}")
    } else {
        format!("{stem}-{hash:08x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, config: &[(&str, &str)]) -> pb::Topic {
        let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let partition = pb::Partition {
            replicas: vec![0, 1, 2],
            ..pb::Partition::default()
        };
        pb::Topic {
            name: name.to_owned(),
            partitions: vec![partition; 6],
            config: config.iter().map(pair).collect(),
            ..pb::Topic::default()
        }
    }

    fn home() -> Home {
        Home {
            cluster: "demo".to_owned(),
            cluster_namespace: Some("mq".to_owned()),
            namespace: Some("mq".to_owned()),
        }
    }

    fn exported(all: &[pb::Topic]) -> Vec<String> {
        topics(&home(), all, &BTreeMap::new()).expect("manifests")
    }

    #[test]
    fn a_topic_is_written_as_a_person_would() {
        let config = [
            ("retention.ms", "604800000"),
            ("cleanup.policy", "delete"),
            ("compression.type", "producer"),
        ];
        let text = exported(&[topic("Orders.v1", &config)]).remove(0);
        let expected = "\
# compression.type=producer is set too; no field says it, and adopting leaves it alone.
apiVersion: weir.dev/v1alpha1
kind: Topic
metadata:
  name: orders.v1
  namespace: mq
spec:
  clusterRef:
    name: demo
  config:
    cleanup:
    - Delete
    retention: 7d
  name: Orders.v1
  partitions: 6
  replicationFactor: 3
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_owned_topic_is_written_under_its_owners_name() {
        let mut owned = topic("orders", &[]);
        owned.owner = Some(pb::TopicOwner {
            uid: "u".to_owned(),
            namespace: "shop".to_owned(),
            name: "mine".to_owned(),
        });
        let policies = BTreeMap::from([("orders".to_owned(), DeletionPolicy::Delete)]);
        let text = topics(&home(), &[owned], &policies)
            .expect("manifests")
            .remove(0);
        for line in [
            "  name: mine\n  namespace: shop\n",
            "    name: demo\n    namespace: mq\n",
            "  deletionPolicy: Delete\n",
            "  name: orders\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn every_topic_has_a_name_of_its_own_and_always_the_same() {
        let all = ["A_b", "a-b", "A-b", "-", "x..y", "good.name"];
        let names: Vec<pb::Topic> = all.iter().map(|name| topic(name, &[])).collect();
        let name = |text: &String| {
            let line = text.lines().find_map(|l| l.strip_prefix("  name: "));
            line.expect("a name").trim_matches(['"', '\'']).to_owned()
        };
        let first: Vec<String> = exported(&names).iter().map(name).collect();
        let unique: BTreeSet<&String> = first.iter().collect();
        assert_eq!(unique.len(), all.len(), "{first:?}");
        assert!(first.iter().all(|name| is_name(name)), "{first:?}");
        assert_eq!(first[1], "a-b");
        assert_eq!(first[5], "good.name");
        let again: Vec<String> = exported(&names).iter().map(name).collect();
        assert_eq!(again, first);
    }
}
