//! Topics that live in another namespace than their cluster: looked at again when their
//! namespace gets other labels, by which clusters choose whose Topics they take.

use std::collections::HashMap;

use futures::{Stream, TryStreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use weir_crds::Topic;

/// Namespaces when they come or get other labels.
pub fn labelled_namespaces(
    client: &Client,
    page: u32,
) -> impl Stream<Item = Result<PartialObjectMeta<Namespace>, watcher::Error>> + Send + use<> {
    let config = watcher::Config::default().page_size(page);
    let mut seen = HashMap::new();
    watcher(
        Api::<PartialObjectMeta<Namespace>>::all(client.clone()),
        config,
    )
    .default_backoff()
    .touched_objects()
    .try_filter(move |namespace| {
        let labels = namespace.labels().clone();
        let news = seen.insert(namespace.name_any(), labels.clone()) != Some(labels);
        std::future::ready(news)
    })
}

/// From a namespace to its Topics whose clusters are elsewhere.
pub fn mapper(
    topics: Store<Topic>,
) -> impl Fn(PartialObjectMeta<Namespace>) -> Vec<ObjectRef<Topic>> + Send + Sync + 'static {
    move |namespace| {
        let home = namespace.name_any();
        let here = topics.state().into_iter();
        here.filter(|t| t.namespace().as_deref() == Some(home.as_str()))
            .filter(|t| t.cluster_key().0 != home)
            .map(|t| ObjectRef::from_obj(&*t))
            .collect()
    }
}
