//! What of QueueClusters matters to Topics: that they come, go, and begin or end to serve.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use kube::api::Api;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use weir_crds::{QueueCluster, Topic};

use crate::controllers::{PAGE, Scope};

/// Namespace and name of a cluster.
type Key = (String, String);

/// Topics to look at again because of their cluster. Endless.
pub(crate) fn topics_woken(
    client: &Client,
    scope: &Scope,
    topics: Store<Topic>,
) -> impl Stream<Item = ObjectRef<Topic>> + Send + use<> {
    let api: Api<QueueCluster> = scope.api(client);
    let config = watcher::Config::default().page_size(PAGE);
    let mut seen = Seen::default();
    watcher(api, config)
        .default_backoff()
        .filter_map(|event| async move {
            event
                .inspect_err(|error| tracing::debug!(%error, "watch of clusters, for their topics"))
                .ok()
        })
        .flat_map(move |event| {
            let news = seen.news(event);
            let of = |t: &Arc<Topic>| news.contains(&t.cluster_key());
            let mine: Vec<_> = match news.is_empty() {
                true => Vec::new(),
                false => topics.state().into_iter().filter(of).collect(),
            };
            stream::iter(mine.into_iter().map(|t| ObjectRef::from_obj(&*t)))
        })
}

/// What was last seen of each cluster.
#[derive(Default)]
struct Seen {
    prints: HashMap<Key, Print>,
    /// Since a list began; `None` outside of one.
    listed: Option<HashSet<Key>>,
}

/// What of a cluster its Topics depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Print {
    uid: Option<String>,
    goes: bool,
    serves: bool,
    namespaces: String,
}

impl Seen {
    /// Clusters of which something else is to be said than before.
    fn news(&mut self, event: Event<QueueCluster>) -> Vec<Key> {
        match event {
            Event::Init => {
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::Apply(one) => self.note(&one).into_iter().collect(),
            Event::InitApply(one) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(key(&one));
                }
                self.note(&one).into_iter().collect()
            }
            // It says nothing of itself that was not said before, but that it is gone.
            Event::Delete(one) => {
                self.prints.remove(&key(&one));
                vec![key(&one)]
            }
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let gone: Vec<Key> = self
                    .prints
                    .keys()
                    .filter(|key| !listed.contains(*key))
                    .cloned()
                    .collect();
                gone.iter().for_each(|key| {
                    self.prints.remove(key);
                });
                gone
            }
        }
    }

    fn note(&mut self, cluster: &QueueCluster) -> Option<Key> {
        let (key, now) = (key(cluster), print(cluster));
        let before = self.prints.insert(key.clone(), now.clone());
        (before != Some(now)).then_some(key)
    }
}

fn key(cluster: &QueueCluster) -> Key {
    (cluster.namespace().unwrap_or_default(), cluster.name_any())
}

fn print(cluster: &QueueCluster) -> Print {
    let status = cluster.status.as_ref();
    Print {
        uid: cluster.uid(),
        goes: cluster.metadata.deletion_timestamp.is_some(),
        serves: status.is_some_and(|s| s.formed && s.ready_replicas > 0),
        namespaces: serde_json::to_string(&cluster.spec.topic_namespaces).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster(name: &str, ready: i32) -> QueueCluster {
        let spec = json!({
            "replicas": 3, "storage": {"size": "1Gi"},
            "listeners": [{"name": "internal", "protocol": "Kafka", "port": 9092, "type": "Internal"}],
        });
        let whole = json!({
            "apiVersion": "weir.dev/v1alpha1", "kind": "QueueCluster",
            "metadata": {"name": name, "namespace": "mq", "uid": "1"}, "spec": spec,
            "status": {"formed": true, "readyReplicas": ready},
        });
        serde_json::from_value(whole).expect("a QueueCluster")
    }

    fn of(name: &str) -> Vec<Key> {
        vec![("mq".to_owned(), name.to_owned())]
    }

    #[test]
    fn only_what_matters_is_news() {
        let mut seen = Seen::default();
        assert_eq!(seen.news(Event::Apply(cluster("a", 3))), of("a"));
        assert_eq!(seen.news(Event::Apply(cluster("a", 2))), []);
        assert_eq!(seen.news(Event::Apply(cluster("a", 0))), of("a"));
    }

    #[test]
    fn one_that_goes_is_news_though_it_says_nothing_new() {
        let mut seen = Seen::default();
        seen.news(Event::Apply(cluster("a", 3)));
        assert_eq!(seen.news(Event::Delete(cluster("a", 3))), of("a"));
        assert_eq!(seen.news(Event::Apply(cluster("a", 3))), of("a"), "another");
    }

    #[test]
    fn one_that_went_while_nobody_watched_is_news() {
        let mut seen = Seen::default();
        seen.news(Event::Apply(cluster("a", 3)));
        seen.news(Event::Apply(cluster("b", 3)));
        seen.news(Event::Init);
        assert_eq!(seen.news(Event::InitApply(cluster("b", 3))), []);
        assert_eq!(seen.news(Event::InitDone), of("a"));
    }
}
