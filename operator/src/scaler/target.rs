//! What is scaled: any object with a scale subresource, and its pods.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::json;
use weir_crds::TargetRef;

use super::MANAGER;
use super::known_pods::trimmed;
use crate::apply::Applier;
use crate::error::{Error, Result, is_not_found};

/// Tells a ReplicaSet which pods to delete last (KEP-2255).
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// Pods of one page.
const PAGE: u32 = 500;
/// Most pods that are looked at: no target may have more replicas.
const PODS_MAX: usize = 10_000;

/// The target as it was found.
pub struct Target {
    api: Api<DynamicObject>,
    name: String,
    pub scale: Scale,
}

/// Whether there is something to scale.
pub enum Lookup {
    Found(Box<Target>),
    /// No such object, or no such kind.
    Missing(String),
    /// The operator has no right to it, or it has no scale.
    Refused(String),
}

impl Target {
    /// # Errors
    /// The API server did not answer.
    pub async fn find(client: &Client, namespace: &str, of: &TargetRef) -> Result<Lookup> {
        let resource = match resource(client, of).await {
            Ok(Some(resource)) => resource,
            Ok(None) => {
                let message = format!("there is no kind {} in {}", of.kind, of.api_version);
                return Ok(Lookup::Missing(message));
            }
            Err(error) => return Err(error.into()),
        };
        let api = Api::namespaced_with(client.clone(), namespace, &resource);
        let named = format!("{} {namespace}/{}", of.kind, of.name);
        match api.get_scale(&of.name).await {
            Ok(scale) => Ok(Lookup::Found(Box::new(Self {
                api,
                name: of.name.clone(),
                scale,
            }))),
            Err(error) if is_not_found(&error) => {
                Ok(Lookup::Missing(format!("there is no {named} with a scale")))
            }
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(Lookup::Refused(format!(
                "the operator may not scale {named}: name its kind in the chart's scaler.targets"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    /// `spec.replicas` of the scale subresource, which leaves out a zero.
    pub fn replicas(&self) -> u32 {
        let replicas = self.scale.spec.as_ref().and_then(|s| s.replicas);
        u32::try_from(replicas.unwrap_or(0)).unwrap_or(0)
    }

    /// UID and version of what was found; `None` if either is missing.
    pub fn version(&self) -> Option<(String, String)> {
        let metadata = &self.scale.metadata;
        metadata.uid.clone().zip(metadata.resource_version.clone())
    }

    /// Its pods, by its own selector; none for what has no selector.
    ///
    /// # Errors
    /// The API server did not answer.
    pub async fn pods(&self, client: &Client, namespace: &str) -> Result<Vec<Pod>> {
        let selector = self.scale.status.as_ref().and_then(|s| s.selector.clone());
        let Some(selector) = selector.filter(|s| !s.is_empty()) else {
            return Ok(Vec::new());
        };
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let mut params = ListParams::default().labels(&selector).limit(PAGE);
        let mut pods = Vec::new();
        loop {
            let page = api.list(&params).await?;
            let next = page.metadata.continue_.clone().filter(|c| !c.is_empty());
            pods.extend(page.items.into_iter().map(trimmed));
            match next {
                Some(token) if pods.len() < PODS_MAX => params = params.continue_token(&token),
                _ => break,
            }
        }
        let over = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
            matches!(phase, Some("Succeeded" | "Failed"))
        };
        pods.retain(|pod| !over(pod));
        Ok(pods)
    }

    /// Sets the replicas, if nobody changed the target since it was read.
    ///
    /// # Errors
    /// Somebody did, or the API server refuses.
    pub async fn set_replicas(&self, replicas: u32) -> Result<()> {
        let change = json!({
            "metadata": {"resourceVersion": self.scale.metadata.resource_version},
            "spec": {"replicas": replicas},
        });
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.api
            .patch_scale(&self.name, &params, &Patch::Merge(change))
            .await?;
        Ok(())
    }
}

/// How the API server calls the kind. Deployments need no question.
async fn resource(client: &Client, of: &TargetRef) -> Result<Option<ApiResource>, kube::Error> {
    if of.api_version == "apps/v1" && of.kind == "Deployment" {
        return Ok(Some(ApiResource::erase::<Deployment>(&())));
    }
    let (group, version) = of
        .api_version
        .split_once('/')
        .unwrap_or(("", &of.api_version));
    let gvk = GroupVersionKind::gvk(group, version, &of.kind);
    match kube::discovery::pinned_kind(client, &gvk).await {
        Ok((resource, _)) => Ok(Some(resource)),
        Err(kube::Error::Discovery(_)) => Ok(None),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The autoscaler that has the same target, if there is one.
///
/// # Errors
/// The API server did not answer.
pub async fn other_scaler(
    client: &Client,
    namespace: &str,
    of: &TargetRef,
) -> Result<Option<String>> {
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().limit(PAGE);
    let all = match api.list(&params).await.map_err(Error::from) {
        Ok(all) => all,
        // Without the right to look there is nothing to say.
        Err(error) if matches!(error.code(), Some(403 | 404)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let group = |version: &str| {
        version
            .split_once('/')
            .map_or(String::new(), |(g, _)| g.to_owned())
    };
    let same = |hpa: &&HorizontalPodAutoscaler| {
        hpa.spec.as_ref().is_some_and(|spec| {
            let target = &spec.scale_target_ref;
            let version = target.api_version.as_deref().unwrap_or(&of.api_version);
            target.kind == of.kind
                && target.name == of.name
                && group(version) == group(&of.api_version)
        })
    };
    let found = all.items.iter().find(same);
    Ok(found.map(|hpa| format!("HorizontalPodAutoscaler {}", hpa.name_any())))
}

/// Tells which pods are to go last, where they do not say so already.
///
/// # Errors
/// The API server refuses for another reason than that the pod is gone.
pub async fn set_deletion_costs(
    applier: &Applier,
    pods: &[Pod],
    costs: &[(String, i32)],
) -> Result<()> {
    let wanted: BTreeMap<&str, i32> = costs.iter().map(|(n, c)| (n.as_str(), *c)).collect();
    for pod in pods {
        let name = pod.name_any();
        let Some(cost) = wanted.get(name.as_str()) else {
            continue;
        };
        let cost = cost.to_string();
        // Without the annotation a pod costs nothing.
        let now = pod
            .annotations()
            .get(DELETION_COST)
            .map_or("0", String::as_str);
        if now == cost {
            continue;
        }
        let change = json!({"metadata": {"annotations": {DELETION_COST: cost}}});
        match applier.merge(pod, change).await {
            Ok(_) => {}
            Err(error) if matches!(error.code(), Some(404 | 409)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
