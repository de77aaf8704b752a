//! What the generated definitions promise, tried without an API server.

use kube::core::cel::Validator;
use serde_json::{Value, json};
use weir_crds::{CRD_BYTES_MAX, manifests};

fn definition(file: &str) -> Value {
    let found = manifests().into_iter().find(|m| m.file == file);
    serde_json::to_value(found.expect("it is generated").definition).expect("JSON")
}

/// The messages of the rules that the change from `old` to `new` breaks.
fn broken(file: &str, old: Option<&Value>, new: &Value) -> Vec<String> {
    let definition = definition(file);
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    match Validator::new().validate(schema, new, old) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.iter().map(|e| e.message.clone()).collect(),
    }
}

fn cluster(edit: impl FnOnce(&mut Value)) -> Value {
    let mut cluster = json!({
        "apiVersion": "weir.dev/v1alpha1",
        "kind": "QueueCluster",
        "metadata": {"name": "demo"},
        "spec": {
            "replicas": 3,
            "storage": {"size": "10Gi", "className": "standard"},
            "config": {"minInsyncReplicas": 2},
            "listeners": [
                {"name": "internal", "protocol": "Kafka", "port": 9092, "type": "Internal"},
                {"name": "outside", "protocol": "Kafka", "port": 9094, "type": "NodePort",
                 "annotations": {"example.com/a": "b"}, "externalTrafficPolicy": "Local"},
            ],
            "topicNamespaces": {"from": "Selector", "selector": {"matchLabels": {"weir": "demo"}}},
        },
    });
    edit(&mut cluster["spec"]);
    cluster
}

fn topic(edit: impl FnOnce(&mut Value)) -> Value {
    let mut topic = json!({
        "apiVersion": "weir.dev/v1alpha1",
        "kind": "Topic",
        "metadata": {"name": "orders"},
        "spec": {
            "clusterRef": {"name": "demo", "namespace": "mq"},
            "name": "Orders.v1",
            "partitions": 12,
            "replicationFactor": 3,
        },
    });
    edit(&mut topic["spec"]);
    topic
}

fn scaler(edit: impl FnOnce(&mut Value)) -> Value {
    let mut scaler = json!({
        "apiVersion": "weir.dev/v1alpha1",
        "kind": "ConsumerScaler",
        "metadata": {"name": "billing"},
        "spec": {
            "clusterRef": {"name": "demo", "namespace": "mq"},
            "source": {"kafka": {"group": "billing", "topics": ["Orders.v1"]}},
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "billing"},
            "minReplicas": 0,
            "maxReplicas": 12,
            "drainWithin": "60s",
        },
    });
    edit(&mut scaler["spec"]);
    scaler
}

const CLUSTERS: &str = "queueclusters.yaml";
const TOPICS: &str = "topics.yaml";
const SCALERS: &str = "consumerscalers.yaml";

#[test]
fn definitions_fit_the_annotation_of_kubectl_apply() {
    for manifest in manifests() {
        let text = serde_json::to_string(&manifest.definition).expect("JSON");
        assert!(
            text.len() < CRD_BYTES_MAX,
            "{}: {}",
            manifest.file,
            text.len()
        );
    }
}

#[test]
fn files_are_what_the_types_generate() {
    for manifest in manifests() {
        let path = format!("{}/{}", env!("CARGO_MANIFEST_DIR"), manifest.file);
        let text = std::fs::read_to_string(&path).expect("the file is there");
        let value = serde_json::to_value(&manifest.definition).expect("JSON");
        let generated = serde_saphyr::to_string(&value).expect("YAML");
        assert!(
            text.contains(generated.trim()),
            "{path}: run crdgen --write"
        );
    }
}

/// Every string, list and map has a bound: the API server budgets rules by them.
#[test]
fn everything_that_can_grow_is_bounded() {
    fn walk(path: &str, schema: &Value, found: &mut Vec<String>) {
        let closed = schema["enum"].is_array() || schema["maxLength"].is_number();
        match schema["type"].as_str() {
            Some("string") if !closed => found.push(path.to_owned()),
            Some("array") if !schema["maxItems"].is_number() => found.push(path.to_owned()),
            Some("object")
                if schema["additionalProperties"].is_object()
                    && !schema["maxProperties"].is_number() =>
            {
                found.push(path.to_owned());
            }
            _ => {}
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{path}.{name}"), inner, found);
        }
        for key in ["items", "additionalProperties"] {
            if schema[key].is_object() {
                walk(&format!("{path}[]"), &schema[key], found);
            }
        }
    }
    let mut found = Vec::new();
    for file in [CLUSTERS, TOPICS, SCALERS] {
        let definition = definition(file);
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for part in ["spec", "status"] {
            walk(part, &schema["properties"][part], &mut found);
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_resource_nobody_has_seen_is_not_ready() {
    for file in [CLUSTERS, TOPICS] {
        let definition = definition(file);
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let condition = &schema["properties"]["status"]["default"]["conditions"][0];
        assert_eq!(
            (&condition["type"], &condition["status"]),
            (&json!("Ready"), &json!("Unknown"))
        );
    }
}

#[test]
fn clusters_that_contradict_themselves_are_refused() {
    let refused = |edit: fn(&mut Value)| broken(CLUSTERS, None, &cluster(edit));
    assert_eq!(refused(|_| {}), Vec::<String>::new());
    type Case = (fn(&mut Value), &'static str);
    let cases: [Case; 10] = [
        (
            |s| s["listeners"][1]["port"] = json!(9092),
            "ports of listeners must differ",
        ),
        (
            |s| s["listeners"][0]["type"] = json!("NodePort"),
            "one listener must have the type Internal",
        ),
        (
            |s| s["listeners"][1]["port"] = json!(9191),
            "ports 9190 to 9199 are the brokers' own",
        ),
        (
            |s| s["listeners"][1]["name"] = json!("admin"),
            "peer, admin and health are names of the brokers' own ports",
        ),
        (
            |s| s["listeners"][0]["annotations"] = json!({"a": "b"}),
            "annotations and externalTrafficPolicy are for listeners with Services of their own: NodePort and LoadBalancer",
        ),
        (
            |s| s["listeners"][1]["annotations"] = json!({"weir.dev/applied": "b"}),
            "annotations of weir.dev/ are the operator's",
        ),
        (
            |s| s["config"]["minInsyncReplicas"] = json!(4),
            "config.minInsyncReplicas must not exceed replicas",
        ),
        (
            |s| s["config"] = json!({"minInsyncReplicas": 3, "defaultReplicationFactor": 2}),
            "minInsyncReplicas must not exceed defaultReplicationFactor",
        ),
        (
            |s| s["topicNamespaces"] = json!({"from": "Selector"}),
            "selector goes with from: Selector, and only with it",
        ),
        (
            |s| s["podTemplate"] = json!({"labels": {"app.kubernetes.io/name": "x"}}),
            "labels of weir.dev/ and app.kubernetes.io/ are the operator's",
        ),
    ];
    for (edit, message) in cases {
        assert_eq!(refused(edit), [message]);
    }
}

/// Two variables of one name would be refused by the API server, and only then.
#[test]
fn exactly_the_variables_that_the_operator_sets_are_its_own() {
    let said = |name: &str| {
        let env = json!([{"name": name, "value": "x"}]);
        let one = cluster(|s| s["podTemplate"] = json!({"env": env}));
        broken(CLUSTERS, None, &one)
    };
    for name in ["POD_NAME", "POD_NAMESPACE", "NODE_NAME", "POD_IP"] {
        assert_eq!(said(name), ["this variable is the operator's"], "{name}");
    }
    for name in ["RACK", "RUST_LOG"] {
        assert_eq!(said(name), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_a_cluster_was_built_on_does_not_change() {
    let old = cluster(|_| {});
    let refused = |edit: fn(&mut Value)| broken(CLUSTERS, Some(&old), &cluster(edit));
    assert_eq!(
        refused(|s| s["storage"]["size"] = json!("20Gi")),
        Vec::<String>::new()
    );
    assert_eq!(
        refused(|s| s["storage"]["size"] = json!("5Gi")),
        ["storage.size may not shrink"]
    );
    assert_eq!(
        refused(|s| s["storage"]["className"] = json!("fast")),
        ["storage.className is immutable"]
    );
    assert_eq!(
        refused(|s| s["storage"] = json!({"size": "10Gi"})),
        ["storage.className is immutable"]
    );
}

#[test]
fn topics_grow_and_keep_their_names() {
    let old = topic(|_| {});
    let refused = |edit: fn(&mut Value)| broken(TOPICS, Some(&old), &topic(edit));
    assert_eq!(
        refused(|s| s["partitions"] = json!(24)),
        Vec::<String>::new()
    );
    assert_eq!(
        refused(|s| s["partitions"] = json!(6)),
        ["partitions may only grow"]
    );
    assert_eq!(
        refused(|s| s["replicationFactor"] = json!(2)),
        ["replicationFactor is immutable"]
    );
    assert_eq!(
        refused(|s| s["name"] = json!("Orders.v2")),
        ["name is immutable: delete this Topic and create another"]
    );
    assert_eq!(
        refused(|s| s["clusterRef"] = json!({"name": "demo"})),
        ["clusterRef is immutable"]
    );
    let internal = topic(|s| s["name"] = json!("__consumer_offsets"));
    assert_eq!(
        broken(TOPICS, None, &internal),
        ["names that begin with __ are internal; . and .. are no names"]
    );
}

#[test]
fn a_scaler_names_a_source_and_bounds_that_make_sense() {
    let refused = |edit: &dyn Fn(&mut Value)| broken(SCALERS, None, &scaler(|s| edit(s)));
    assert_eq!(refused(&|_| {}), Vec::<String>::new());
    assert_eq!(
        refused(&|s| s["minReplicas"] = json!(13)),
        ["minReplicas must not exceed maxReplicas"]
    );
    let no_source = refused(&|s| s["source"] = json!({}));
    assert_eq!(no_source, ["name a source: kafka"]);
    for text in ["1s", "90s", "1h", "1d"] {
        let said = refused(&|s| s["drainWithin"] = json!(text));
        assert_eq!(said, Vec::<String>::new(), "{text}");
    }
    for (text, message) in [
        ("500ms", "drainWithin must be at least 1s"),
        ("25h", "drainWithin must be at most 1d"),
        ("2d", "drainWithin must be at most 1d"),
    ] {
        let said = refused(&|s| s["drainWithin"] = json!(text));
        assert_eq!(said, [message], "{text}");
    }
}
