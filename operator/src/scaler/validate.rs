//! What the resource asks for, parsed once.

use kube::ResourceExt;
use weir_crds::{ConsumerScaler, KafkaSource, NoCommit, TargetRef, parse_millis};
use weir_scaler::Spec;

use super::backlogs::{ClusterKey, ScalerKey};

/// A scaler that can be worked on.
#[derive(Clone, Debug)]
pub struct Valid {
    pub key: ScalerKey,
    pub cluster: ClusterKey,
    pub source: KafkaSource,
    pub target: TargetRef,
    pub spec: Spec,
    /// Somebody asked for nothing to be changed.
    pub paused: bool,
}

/// # Errors
/// What is wrong, for its author.
pub fn validate(scaler: &ConsumerScaler) -> Result<Valid, String> {
    let spec = &scaler.spec;
    let source = spec.source.kafka.clone().ok_or("no source is named")?;
    let drain_within_ms = parse_millis(&spec.drain_within).map_err(|e| e.to_string())?;
    let drain_within_ms = u64::try_from(drain_within_ms)
        .ok()
        .filter(|ms| *ms > 0)
        .ok_or("drainWithin must be a time")?;
    let count = |name: &str, n: i32| u32::try_from(n).map_err(|_| format!("{name} is negative"));
    let (min_replicas, max_replicas) = (
        count("minReplicas", spec.min_replicas)?,
        count("maxReplicas", spec.max_replicas)?,
    );
    if min_replicas > max_replicas {
        return Err("minReplicas exceeds maxReplicas".to_owned());
    }
    Ok(Valid {
        key: (scaler.namespace().unwrap_or_default(), scaler.name_any()),
        cluster: scaler.cluster_key(),
        source,
        target: spec.target_ref.clone(),
        spec: Spec {
            min_replicas,
            max_replicas,
            drain_within_ms,
            initial_rate_per_pod: f64::from(spec.initial_rate_per_pod.max(1)),
            no_commit: match spec.no_commit {
                NoCommit::Hold => weir_scaler::NoCommit::Hold,
                NoCommit::Earliest => weir_scaler::NoCommit::Earliest,
                NoCommit::Latest => weir_scaler::NoCommit::Latest,
            },
        },
        paused: spec.paused || crate::cluster::is_paused(scaler),
    })
}
