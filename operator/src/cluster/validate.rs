//! What the API server could not check: what follows is built from the result and cannot fail.

use weir_crds::{ListenerType, QueueCluster, QueueClusterSpec};

use crate::context::Settings as OperatorSettings;
use crate::kafka_config::{Settings, cluster_settings};
use crate::names::{Names, OWN_PORTS};

/// A cluster whose spec makes sense.
#[derive(Clone, Debug)]
pub struct Valid {
    pub names: Names,
    pub spec: QueueClusterSpec,
    /// Of the brokers.
    pub version: String,
    pub image: String,
    /// Cluster-wide settings by Kafka's names.
    pub settings: Settings,
}

/// Why a spec cannot be carried out until a person changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub reason: &'static str,
    pub message: String,
}

impl Invalid {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// Checks the spec against itself and against what this operator can run.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(cluster: &QueueCluster, operator: &OperatorSettings) -> Result<Valid, Invalid> {
    let spec = &cluster.spec;
    let name = cluster.metadata.name.as_deref().unwrap_or_default();
    let namespace = cluster.metadata.namespace.as_deref().unwrap_or_default();
    let version = spec
        .version
        .clone()
        .unwrap_or_else(|| operator.version.clone());
    check_version(&version, &operator.version)?;
    check_listeners(spec)?;
    let settings = cluster_settings(spec)
        .map_err(|e| Invalid::new("InvalidConfig", format!("spec.config: {e}")))?;
    check_replicas(spec, &settings)?;
    let image = spec
        .image
        .clone()
        .unwrap_or_else(|| operator.broker_image.replace("{version}", &version));
    Ok(Valid {
        names: Names::new(namespace, name),
        spec: spec.clone(),
        version,
        image,
        settings,
    })
}

fn check_listeners(spec: &QueueClusterSpec) -> Result<(), Invalid> {
    let invalid = |message: String| Err(Invalid::new("InvalidListeners", message));
    for (index, one) in spec.listeners.iter().enumerate() {
        for other in &spec.listeners[..index] {
            if one.name == other.name || one.port == other.port {
                return invalid(format!(
                    "listeners {} and {} have the same name or port",
                    other.name, one.name
                ));
            }
        }
        if OWN_PORTS.iter().any(|(name, _)| *name == one.name) {
            let name = &one.name;
            return invalid(format!("{name} is the name of a port of the brokers' own"));
        }
        if (9190..=9199).contains(&one.port) {
            let name = &one.name;
            return invalid(format!("port {} of {name} is the brokers' own", one.port));
        }
    }
    let internal = |l: &&weir_crds::Listener| l.type_ == ListenerType::Internal;
    if spec.listeners.iter().find(internal).is_none() {
        return invalid("one listener must have the type Internal".to_owned());
    }
    Ok(())
}

fn check_replicas(spec: &QueueClusterSpec, settings: &Settings) -> Result<(), Invalid> {
    let number = |name: &str| settings.get(name).and_then(|v| v.parse::<i32>().ok());
    for name in ["default.replication.factor", "min.insync.replicas"] {
        if let Some(wanted) = number(name).filter(|n| *n > spec.replicas) {
            let message = format!("{name} = {wanted}, but there are {} brokers", spec.replicas);
            return Err(Invalid::new("InvalidConfig", message));
        }
    }
    Ok(())
}

/// The operator runs brokers of its own minor version and of the one before.
fn check_version(brokers: &str, operator: &str) -> Result<(), Invalid> {
    let parse = |text: &str| -> Option<(u64, u64)> {
        let mut parts = text.split(['.', '-']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let (Some(wanted), Some(own)) = (parse(brokers), parse(operator)) else {
        let message = format!("{brokers:?} is not a version");
        return Err(Invalid::new("InvalidVersion", message));
    };
    let supported = wanted.0 == own.0 && (wanted.1 == own.1 || wanted.1 + 1 == own.1);
    if supported {
        return Ok(());
    }
    Err(Invalid::new(
        "UnsupportedVersion",
        format!(
            "operator {operator} runs brokers of its own minor version and the one before, not {brokers}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::check_version;

    #[test]
    fn brokers_may_lag_by_one_minor_version() {
        assert!(check_version("1.4.9", "1.5.0").is_ok());
        assert!(check_version("1.5.3", "1.5.0").is_ok());
        assert!(check_version("1.3.0", "1.5.0").is_err());
        assert!(check_version("1.6.0", "1.5.0").is_err());
        assert!(check_version("latest", "1.5.0").is_err());
    }
}
