//! Which resources want the same thing: Topics a topic of a cluster, ConsumerScalers a target.
//!
//! The oldest resource may have it, whichever happens to be reconciled first (of topics the
//! brokers' metadata knows more: who owns them already); and when a resource goes, those that
//! wanted the same are looked at again. The index only points: whoever acts on it reads the
//! resource first.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, stream};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use tokio::sync::Notify;

/// Older resources that are looked at when a thing is free. More than a few are a mistake that
/// the first of them shows.
const OLDER_MAX: usize = 8;

/// Namespace and name of a resource.
type Name = (String, String);

/// A resource that wants something which only one can have.
pub trait Claimant:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + ResourceExt + 'static
{
    /// What it wants.
    type Wish: Clone + Eq + Hash + Send;
    fn wish(&self) -> Self::Wish;
}

/// Such a resource, ordered by age; names decide between those of one second.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    created: Timestamp,
    resource: Name,
}

struct State<W> {
    wishes: HashMap<Name, (W, Claim)>,
    claims: HashMap<W, BTreeSet<Claim>>,
    /// Resources seen since a list began; `None` outside of one.
    listed: Option<HashSet<Name>>,
    /// To be looked at again.
    woken: HashSet<Name>,
}

/// The index.
pub struct Claims<K: Claimant> {
    state: Mutex<State<K::Wish>>,
    news: Notify,
}

impl<K: Claimant> Default for Claims<K> {
    fn default() -> Self {
        let state = State {
            wishes: HashMap::new(),
            claims: HashMap::new(),
            listed: None,
            woken: HashSet::new(),
        };
        Self {
            state: Mutex::new(state),
            news: Notify::new(),
        }
    }
}

impl<K: Claimant> Claims<K> {
    fn state(&self) -> MutexGuard<'_, State<K::Wish>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in an event of the watch of the resources.
    pub fn observe(&self, event: &Event<K>) {
        let mut state = self.state();
        match event {
            Event::Apply(one) => state.note(name(one), one.wish(), claim(one)),
            Event::InitApply(one) => {
                state.note(name(one), one.wish(), claim(one));
                if let Some(listed) = &mut state.listed {
                    listed.insert(name(one));
                }
            }
            Event::Delete(one) => state.forget(&name(one)),
            Event::Init => state.listed = Some(HashSet::new()),
            Event::InitDone => state.end_list(),
        }
        if !state.woken.is_empty() {
            self.news.notify_one();
        }
    }

    /// Resources that want the same and are older, the oldest first, as namespace and name.
    pub fn older(&self, than: &K) -> Vec<(String, String)> {
        let own = claim(than);
        let state = self.state();
        let claims = state.claims.get(&than.wish()).into_iter().flatten();
        claims
            .take_while(|c| **c < own)
            .map(|c| c.resource.clone())
            .take(OLDER_MAX)
            .collect()
    }

    /// Resources to look at again because another that wanted the same has gone. Endless.
    pub fn woken(self: Arc<Self>) -> impl Stream<Item = ObjectRef<K>> + Send {
        stream::unfold(self, |claims| async move {
            loop {
                if let Some((namespace, name)) = claims.take_woken() {
                    let reference = ObjectRef::new(&name).within(&namespace);
                    return Some((reference, claims));
                }
                claims.news.notified().await;
            }
        })
    }

    fn take_woken(&self) -> Option<Name> {
        let mut state = self.state();
        let one = state.woken.iter().next().cloned()?;
        state.woken.take(&one)
    }
}

impl<W: Clone + Eq + Hash> State<W> {
    fn note(&mut self, resource: Name, wish: W, claim: Claim) {
        let now = (wish, claim);
        if self.wishes.get(&resource) == Some(&now) {
            return;
        }
        self.forget(&resource);
        let claims = self.claims.entry(now.0.clone()).or_default();
        claims.insert(now.1.clone());
        self.wishes.insert(resource, now);
    }

    /// Forgets a resource and wakes the others.
    fn forget(&mut self, resource: &Name) {
        let Some((wish, claim)) = self.wishes.remove(resource) else {
            return;
        };
        let Some(claims) = self.claims.get_mut(&wish) else {
            return;
        };
        claims.remove(&claim);
        self.woken.extend(claims.iter().map(|c| c.resource.clone()));
        if claims.is_empty() {
            self.claims.remove(&wish);
        }
    }

    fn end_list(&mut self) {
        let Some(listed) = self.listed.take() else {
            return;
        };
        let known = self.wishes.keys();
        let gone: Vec<Name> = known.filter(|n| !listed.contains(*n)).cloned().collect();
        for resource in gone {
            self.forget(&resource);
        }
    }
}

fn name(of: &impl Claimant) -> Name {
    (of.namespace().unwrap_or_default(), of.name_any())
}

fn claim(of: &impl Claimant) -> Claim {
    let created = of.meta().creation_timestamp.as_ref();
    Claim {
        created: created.map_or(Timestamp::MAX, |time| time.0),
        resource: name(of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, StreamExt};
    use serde_json::json;
    use weir_crds::Topic;

    fn topic(namespace: &str, name: &str, second: u32) -> Topic {
        let object = json!({
            "apiVersion": "weir.dev/v1alpha1",
            "kind": "Topic",
            "metadata": {
                "namespace": namespace, "name": name, "uid": format!("{namespace}-{name}"),
                "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
            },
            "spec": {"clusterRef": {"name": "demo", "namespace": "mq"}, "name": "orders"},
        });
        serde_json::from_value(object).expect("a Topic")
    }

    fn woken(claims: &Arc<Claims<Topic>>) -> Vec<String> {
        let mut all = Vec::new();
        let mut stream = Box::pin(claims.clone().woken());
        while let Some(Some(one)) = stream.next().now_or_never() {
            all.push(one.name);
        }
        all.sort();
        all
    }

    #[test]
    fn older_resources_come_first_in_whatever_order_they_were_seen() {
        let claims = Claims::<Topic>::default();
        let (first, second, third) = (topic("b", "x", 1), topic("a", "y", 2), topic("a", "z", 2));
        for one in [&third, &first, &second] {
            claims.observe(&Event::Apply(one.clone()));
        }
        assert_eq!(claims.older(&first), []);
        let name = |ns: &str, n: &str| (ns.to_owned(), n.to_owned());
        assert_eq!(claims.older(&third), [name("b", "x"), name("a", "y")]);
    }

    #[test]
    fn who_wanted_the_same_is_woken_when_one_goes() {
        let claims = Arc::new(Claims::<Topic>::default());
        let (first, second) = (topic("a", "x", 1), topic("b", "y", 2));
        for one in [&first, &second] {
            claims.observe(&Event::Apply(one.clone()));
        }
        assert_eq!(woken(&claims), Vec::<String>::new());
        claims.observe(&Event::Delete(first));
        assert_eq!(woken(&claims), ["y"]);
        assert_eq!(claims.older(&second), []);
    }

    #[test]
    fn a_new_list_forgets_what_it_does_not_name() {
        let claims = Arc::new(Claims::<Topic>::default());
        let (first, second) = (topic("a", "x", 1), topic("b", "y", 2));
        for one in [&first, &second] {
            claims.observe(&Event::Apply(one.clone()));
        }
        claims.observe(&Event::Init);
        claims.observe(&Event::InitApply(second.clone()));
        claims.observe(&Event::InitDone);
        assert_eq!(claims.older(&second), []);
        assert_eq!(woken(&claims), ["y"]);
    }
}
