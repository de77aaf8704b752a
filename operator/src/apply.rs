//! The only writer to Kubernetes.
//!
//! Objects are written by server-side apply, each controller under its own field manager, and
//! only where they differ from what is there: an idle reconcile writes nothing.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Status;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::drift::Drifts;
use crate::error::{Error, Result, is_not_found};
use crate::likeness::with_nulls;
use crate::metrics::{Metrics, WriteLabels};
use crate::names::{MANAGED_BY, MANAGER};
use crate::stamp::{Found, encode, found, stamped};

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
    drifts: Drifts,
}

impl Applier {
    pub fn new(client: Client, manager: &'static str, metrics: Metrics) -> Self {
        Self {
            client,
            manager,
            metrics,
            drifts: Drifts::default(),
        }
    }

    /// What was put back that somebody had changed.
    pub fn drifts(&self) -> &Drifts {
        &self.drifts
    }

    /// Counts a write that another made in its name.
    pub fn wrote(&self, kind: &str) {
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
    /// An object of that name exists and is not ours; or the API server refuses, for what is
    /// asked of it or for another reason.
    pub async fn apply<K>(&self, wanted: &K, live: Option<&K>) -> Result<K>
    where
        K: Object,
    {
        let kind = K::kind(&()).to_string();
        let name = wanted.name_any();
        // What we did not list may exist without our label.
        let unlisted = match live {
            Some(_) => None,
            None => self.api(wanted).get_opt(&name).await?,
        };
        let live = live.or(unlisted.as_ref());
        if let Some(live) = live
            && live.labels().get(MANAGED_BY).map(String::as_str) != Some(MANAGER)
        {
            return Err(Error::NotOurs { kind, name });
        }
        let body = stamped(wanted)?;
        let found = live.map(|live| Ok::<_, Error>((live, found(&body, &encode(live)?))));
        let edited = match found.transpose()? {
            Some((live, Found::AsWanted)) => return Ok(live.clone()),
            Some((_, Found::Edited(what))) => Some(format!("{kind} {name}: {what}")),
            Some((_, Found::Outdated)) | None => None,
        };
        tracing::info!(%kind, %name, ?edited, "apply");
        self.wrote(&kind);
        let params = PatchParams::apply(self.manager).force();
        let api = self.api(wanted);
        let written = api.patch(&name, &params, &Patch::Apply(body)).await;
        let written = written.map_err(|error| match Error::from(error) {
            error if matches!(error.code(), Some(400 | 422)) => {
                let why = error.to_string();
                Error::Invalid { kind, name, why }
            }
            error => error,
        })?;
        if let Some(what) = edited {
            self.drifts.note(what);
        }
        Ok(written)
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
        self.ask_eviction(pod, &PostParams::default()).await
    }

    /// Whether an eviction would be let through now.
    ///
    /// # Errors
    /// As with `evict`.
    pub async fn may_evict(&self, pod: &Pod) -> Result<Evicted> {
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        self.ask_eviction(pod, &dry).await
    }

    async fn ask_eviction(&self, pod: &Pod, params: &PostParams) -> Result<Evicted> {
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
            .create_subresource("eviction", &name, params, &eviction)
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

    /// Whether a storage class can grow its volumes; `None` if that cannot be told.
    ///
    /// # Errors
    /// The API server did not answer.
    pub async fn can_grow(&self, class: &str) -> Result<Option<bool>> {
        let api: Api<StorageClass> = Api::all(self.client.clone());
        match api.get_opt(class).await {
            Ok(found) => Ok(found.map(|c| c.allow_volume_expansion == Some(true))),
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
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
