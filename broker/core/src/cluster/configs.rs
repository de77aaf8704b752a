//! Setting configs: which there are, which values they take.

use imbl::OrdMap;
use std::collections::BTreeMap;

use super::apply::Outcome;
use super::config_defs::{self, ConfigDef};
use super::{ClusterError, ClusterReply, ConfigOp, ConfigResource, Image, topics};

pub(super) fn alter(
    image: &mut Image,
    resource: &ConfigResource,
    ops: &[ConfigOp],
    validate_only: bool,
) -> Outcome {
    let (defs, current, internal) = match resource {
        ConfigResource::Topic(id) => {
            let topic = image
                .topics
                .get(id)
                .ok_or(ClusterError::UnknownTopic(*id))?;
            (config_defs::TOPIC, topic.config.clone(), topic.internal)
        }
        ConfigResource::Broker(id) => {
            if !image.brokers.contains_key(id) {
                return Err(ClusterError::UnknownBroker(*id));
            }
            ops.iter().try_for_each(check_per_broker)?;
            (
                config_defs::BROKER,
                image.configs.get(resource).cloned().unwrap_or_default(),
                false,
            )
        }
        ConfigResource::ClusterDefault => (
            config_defs::BROKER,
            image.configs.get(resource).cloned().unwrap_or_default(),
            false,
        ),
    };
    let mut next = current;
    for op in ops {
        apply_op(defs, &mut next, op)?;
    }
    let all: BTreeMap<_, _> = next.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    validate(defs, &all, internal)?;
    if validate_only {
        return Ok(ClusterReply::Done);
    }
    match resource {
        ConfigResource::Topic(id) => {
            if let Some(config) = topics::config_of(image, *id) {
                *config = next;
            }
        }
        ConfigResource::Broker(_) if next.is_empty() => {
            image.configs.remove(resource);
        }
        // Defaults that were all taken away stay known: set once, they are not set again.
        _ => {
            image.configs.insert(resource.clone(), next);
        }
    }
    Ok(ClusterReply::Done)
}

/// A value that would have no effect is not taken; one that an older version took can go.
fn check_per_broker(op: &ConfigOp) -> Result<(), ClusterError> {
    match op {
        ConfigOp::Delete(_) => Ok(()),
        ConfigOp::Set(name, _) | ConfigOp::Append(name, _) | ConfigOp::Subtract(name, _) => {
            if find(config_defs::BROKER, name)?.is_per_broker() {
                return Ok(());
            }
            Err(ClusterError::InvalidConfig(format!(
                "{name} is not a broker's own: set it for all brokers"
            )))
        }
    }
}

/// Whether a cluster may start with these as the defaults of all its brokers.
///
/// # Errors
/// `InvalidConfig`: names the first that is unknown or has a value that it cannot take.
pub fn check_defaults(config: &BTreeMap<String, String>) -> Result<(), ClusterError> {
    validate(config_defs::BROKER, config, false)
}

pub(super) fn validate_topic(
    config: &BTreeMap<String, String>,
    internal: bool,
) -> Result<(), ClusterError> {
    validate(config_defs::TOPIC, config, internal)
}

fn validate(
    defs: &[ConfigDef],
    config: &BTreeMap<String, String>,
    internal: bool,
) -> Result<(), ClusterError> {
    for (name, value) in config {
        find(defs, name)?
            .check(value, internal)
            .map_err(ClusterError::InvalidConfig)?;
    }
    Ok(())
}

fn find<'a>(defs: &'a [ConfigDef], name: &str) -> Result<&'a ConfigDef, ClusterError> {
    defs.iter()
        .find(|d| d.name == name)
        .ok_or_else(|| ClusterError::InvalidConfig(format!("unknown config {name}")))
}

fn apply_op(
    defs: &[ConfigDef],
    config: &mut OrdMap<String, String>,
    op: &ConfigOp,
) -> Result<(), ClusterError> {
    match op {
        ConfigOp::Set(name, value) => {
            find(defs, name)?;
            config.insert(name.clone(), value.trim().to_owned());
        }
        // Taking away what is not known is harmless, and lets old names be cleaned up.
        ConfigOp::Delete(name) => {
            config.remove(name);
        }
        ConfigOp::Append(name, value) => edit_list(defs, config, name, |list| {
            for item in value.split(',').map(str::trim).filter(|i| !i.is_empty()) {
                if !list.iter().any(|have| have == item) {
                    list.push(item.to_owned());
                }
            }
        })?,
        ConfigOp::Subtract(name, value) => edit_list(defs, config, name, |list| {
            list.retain(|have| !value.split(',').any(|item| item.trim() == have));
        })?,
    }
    Ok(())
}

fn edit_list(
    defs: &[ConfigDef],
    config: &mut OrdMap<String, String>,
    name: &str,
    edit: impl FnOnce(&mut Vec<String>),
) -> Result<(), ClusterError> {
    let def = find(defs, name)?;
    if !def.is_list() {
        return Err(ClusterError::InvalidConfig(format!("{name} is not a list")));
    }
    let current = config.get(name).map_or(def.default, String::as_str);
    let mut list: Vec<String> = current
        .split(',')
        .filter(|i| !i.is_empty())
        .map(str::to_owned)
        .collect();
    edit(&mut list);
    config.insert(name.to_owned(), list.join(","));
    Ok(())
}
