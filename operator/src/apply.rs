//! The only writer to Kubernetes.
//!
//! Objects are written by server-side apply, each controller under its own field manager, and
//! only where they differ from what is there: an idle reconcile writes nothing.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Status;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{Error, Result, is_not_found};
use crate::hash::digest;
use crate::metrics::{Metrics, WriteLabels};
use crate::names::{MANAGED_BY, MANAGER};

/// Remembers what was applied last, so that a field taken away is noticed too.
pub const APPLIED: &str = "weir.dev/applied";

/// How an eviction went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evicted {
    Done,
    /// The disruption budget does not allow it now.
    Refused(String),
    /// Another pod has that name by now, or none.
    Gone,
}

/// Writes for one controller.
#[derive(Clone)]
pub struct Applier {
    client: Client,
    manager: &'static str,
    metrics: Metrics,
}

impl Applier {
    pub fn new(client: Client, manager: &'static str, metrics: Metrics) -> Self {
        Self {
            client,
            manager,
            metrics,
        }
    }

    fn wrote(&self, kind: &str) {
        let kind = kind.to_owned();
        self.metrics
            .writes
            .get_or_create(&WriteLabels { kind })
            .inc();
    }

    /// Brings an object to what `wanted` says and leaves the rest of it alone. `live` is what
    /// was last seen of it.
    ///
    /// # Errors
    /// An object of that name exists and is not ours; or the API server refuses.
    pub async fn apply<K>(&self, wanted: &K, live: Option<&K>) -> Result<K>
    where
        K: Object,
    {
        let kind = K::kind(&()).to_string();
        let name = wanted.name_any();
        // What we did not list may exist without our label.
        let found = match live {
            Some(_) => None,
            None => self.api(wanted).get_opt(&name).await?,
        };
        let live = live.or(found.as_ref());
        if let Some(live) = live
            && live.labels().get(MANAGED_BY).map(String::as_str) != Some(MANAGER)
        {
            return Err(Error::NotOurs { kind, name });
        }
        let body = stamped(wanted)?;
        if let Some(live) = live
            && unchanged(&body, &encode(live)?)
        {
            return Ok(live.clone());
        }
        tracing::info!(%kind, %name, "apply");
        self.wrote(&kind);
        let params = PatchParams::apply(self.manager).force();
        let api = self.api(wanted);
        Ok(api.patch(&name, &params, &Patch::Apply(body)).await?)
    }

    /// Asks whether the API server would take it, without writing.
    ///
    /// # Errors
    /// It would not, or it did not answer.
    pub async fn rehearse<K>(&self, wanted: &K) -> Result<()>
    where
        K: Object,
    {
        let params = PatchParams::apply(self.manager).force().dry_run();
        let body = stamped(wanted)?;
        let api = self.api(wanted);
        api.patch(&wanted.name_any(), &params, &Patch::Apply(body))
            .await?;
        Ok(())
    }

    /// Writes the status of a resource if it says something new.
    ///
    /// # Errors
    /// The resource has moved on since it was read, or the API server refuses.
    pub async fn status<K, S>(&self, of: &K, before: Option<&S>, status: &S) -> Result<()>
    where
        K: Object,
        S: Serialize + PartialEq,
    {
        if before == Some(status) {
            return Ok(());
        }
        self.wrote("Status");
        // With the version that was read, so that two operators cannot both say what they saw.
        let body = json!({
            "metadata": {"resourceVersion": of.resource_version()},
            "status": encode(status)?,
        });
        let nulled = with_nulls(before.map(encode).transpose()?, body);
        let params = PatchParams {
            field_manager: Some(self.manager.to_owned()),
            ..PatchParams::default()
        };
        self.api(of)
            .patch_status(&of.name_any(), &params, &Patch::Merge(nulled))
            .await?;
        Ok(())
    }

    /// Changes fields of an object that somebody else made, if it is still the one that was read.
    ///
    /// # Errors
    /// It is another by now, or the API server refuses.
    pub async fn merge<K>(&self, of: &K, mut change: Value) -> Result<K>
    where
        K: Object,
    {
        self.wrote(&K::kind(&()));
        change["metadata"]["uid"] = json!(of.uid());
        let params = PatchParams {
            field_manager: Some(self.manager.to_owned()),
            ..PatchParams::default()
        };
        let (api, name) = (self.api(of), of.name_any());
        Ok(api.patch(&name, &params, &Patch::Merge(change)).await?)
    }

    /// Deletes an object, if it is still the one that was read.
    ///
    /// # Errors
    /// The API server refuses; that it is gone already is no error.
    pub async fn delete<K>(&self, of: &K, how: DeleteParams) -> Result<()>
    where
        K: Object,
    {
        self.wrote(&K::kind(&()));
        let how = how.preconditions(Preconditions {
            uid: of.uid(),
            resource_version: None,
        });
        tracing::info!(kind = %K::kind(&()), name = %of.name_any(), "delete");
        // Not `Api::delete`: its answer is the object or a status, and neither is wanted.
        match self.api(of).delete(&of.name_any(), &how).await {
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Evicts a pod, if it is still the one that was read. The body is written here because a
    /// precondition must reach the API server.
    ///
    /// # Errors
    /// The API server refuses for another reason than the budget.
    pub async fn evict(&self, pod: &Pod) -> Result<Evicted> {
        self.wrote("Eviction");
        let name = pod.name_any();
        let eviction = Eviction {
            metadata: meta::ObjectMeta {
                name: Some(name.clone()),
                namespace: pod.namespace(),
                ..meta::ObjectMeta::default()
            },
            delete_options: Some(meta::DeleteOptions {
                preconditions: Some(meta::Preconditions {
                    uid: pod.uid(),
                    resource_version: None,
                }),
                ..meta::DeleteOptions::default()
            }),
        };
        let answer: Result<Status, kube::Error> = self
            .api(pod)
            .create_subresource("eviction", &name, &PostParams::default(), &eviction)
            .await;
        match answer {
            Ok(_) => Ok(Evicted::Done),
            Err(kube::Error::Api(status)) => match status.code {
                429 => Ok(Evicted::Refused(status.message.clone())),
                404 | 409 => Ok(Evicted::Gone),
                _ => Err(kube::Error::Api(status).into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for a larger volume.
    ///
    /// # Errors
    /// The storage class cannot, or the API server refuses.
    pub async fn grow_claim(&self, claim: &PersistentVolumeClaim, size: &str) -> Result<()> {
        let change = json!({"spec": {"resources": {"requests": {"storage": size}}}});
        self.merge(claim, change).await.map(drop)
    }

    fn api<K>(&self, of: &K) -> Api<K>
    where
        K: Object,
    {
        let namespace = of.namespace().unwrap_or_default();
        Api::namespaced(self.client.clone(), &namespace)
    }
}

/// A namespaced object that can be read and written.
pub trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
{
}

fn encode(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::Encode {
        what: "an object",
        why: error.to_string(),
    })
}

/// The object as it is sent: with its kind, and a digest of itself.
fn stamped<K: Object>(wanted: &K) -> Result<Value> {
    let mut body = encode(wanted)?;
    let mark = digest(body.to_string().as_bytes());
    body["apiVersion"] = json!(K::api_version(&()));
    body["kind"] = json!(K::kind(&()));
    body["metadata"]["annotations"][APPLIED] = json!(mark);
    Ok(body)
}

/// Whether `live` was last written from this very body and still says all of it.
fn unchanged(body: &Value, live: &Value) -> bool {
    let mark = |v: &Value| v["metadata"]["annotations"][APPLIED].clone();
    let mut wanted = body.clone();
    // Objects in lists come without their kind.
    if let Value::Object(fields) = &mut wanted {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    mark(body) == mark(live) && contains(live, &wanted)
}

/// Whether `live` says at least what `wanted` says. Lists are compared in order and must be of
/// the same length, but their items may say more.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, value)| {
            live.get(key)
                .map_or_else(|| is_empty(value), |live| contains(live, value))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| contains(l, w))
        }
        (live, wanted) => live == wanted,
    }
}

/// Whether the API server drops such a value when it stores it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A merge patch keeps what it does not name: fields of the status that are gone are named null.
fn with_nulls(before: Option<Value>, mut body: Value) -> Value {
    if let (Some(Value::Object(before)), Value::Object(now)) = (before, &mut body["status"]) {
        for key in before.keys() {
            now.entry(key.clone()).or_insert(Value::Null);
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_says_more_contains_one_that_says_less() {
        let live = json!({"a": 1, "list": [{"x": 1, "defaulted": true}], "other": 2});
        assert!(contains(&live, &json!({"a": 1, "list": [{"x": 1}]})));
        assert!(contains(
            &live,
            &json!({"a": 1, "none": {}, "nothing": null})
        ));
        assert!(!contains(&live, &json!({"a": 2})));
        assert!(!contains(&live, &json!({"list": []})));
        assert!(!contains(&live, &json!({"missing": 1})));
    }

    #[test]
    fn fields_gone_from_a_status_are_nulled() {
        let before = json!({"roll": {"broker": 1}, "replicas": 3});
        let body = with_nulls(Some(before), json!({"status": {"replicas": 3}}));
        assert_eq!(body, json!({"status": {"replicas": 3, "roll": null}}));
    }
}
