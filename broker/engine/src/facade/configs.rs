//! Configs, with where each value comes from.

use weir_api::{ConfigEntry, ConfigOp, ConfigSource, ConfigTarget, Error, Result};
use weir_core::cluster::config_defs::{self, ConfigDef};
use weir_core::cluster::{self, ConfigResource, Image};

use super::{answers, views};

pub(super) fn resource(image: &Image, target: &ConfigTarget) -> Result<ConfigResource> {
    Ok(match target {
        ConfigTarget::Topic(topic) => {
            let found = views::find(image, topic).ok_or_else(|| answers::unknown(topic))?;
            ConfigResource::Topic(found.id)
        }
        ConfigTarget::Broker(id) if !image.brokers.contains_key(id) => {
            return Err(Error::InvalidRequest(format!(
                "broker {id} is not registered"
            )));
        }
        ConfigTarget::Broker(id) => ConfigResource::Broker(*id),
        ConfigTarget::ClusterDefault => ConfigResource::ClusterDefault,
    })
}

pub(super) fn op(op: ConfigOp) -> cluster::ConfigOp {
    match op {
        ConfigOp::Set(k, v) => cluster::ConfigOp::Set(k, v),
        ConfigOp::Delete(k) => cluster::ConfigOp::Delete(k),
        ConfigOp::Append(k, v) => cluster::ConfigOp::Append(k, v),
        ConfigOp::Subtract(k, v) => cluster::ConfigOp::Subtract(k, v),
    }
}

pub(super) fn describe(image: &Image, target: &ConfigTarget) -> Result<Vec<ConfigEntry>> {
    let resource = resource(image, target)?;
    let defs = match resource {
        ConfigResource::Topic(_) => config_defs::TOPIC,
        ConfigResource::Broker(_) | ConfigResource::ClusterDefault => config_defs::BROKER,
    };
    Ok(defs
        .iter()
        .map(|def| entry(image, &resource, def))
        .collect())
}

fn entry(image: &Image, resource: &ConfigResource, def: &ConfigDef) -> ConfigEntry {
    let (value, source) = value(image, resource, def);
    ConfigEntry {
        name: def.name.to_owned(),
        value,
        source,
        read_only: false,
        value_type: def.type_code(),
        documentation: def.doc,
    }
}

fn value(image: &Image, resource: &ConfigResource, def: &ConfigDef) -> (String, ConfigSource) {
    let set = |resource: &ConfigResource, name: &str| {
        image
            .configs
            .get(resource)
            .and_then(|c| c.get(name))
            .cloned()
    };
    let shared = |name: &str| {
        let value = set(&ConfigResource::ClusterDefault, name)?;
        Some((value, ConfigSource::DynamicClusterDefault))
    };
    let found = match resource {
        ConfigResource::Topic(id) => {
            let own = image
                .topics
                .get(id)
                .and_then(|t| t.config.get(def.name))
                .cloned();
            own.map(|v| (v, ConfigSource::DynamicTopic))
                .or_else(|| shared(config_defs::broker_name(def.name)?))
        }
        ConfigResource::Broker(_) => set(resource, def.name)
            .map(|v| (v, ConfigSource::DynamicBroker))
            .or_else(|| shared(def.name)),
        ConfigResource::ClusterDefault => shared(def.name),
    };
    found.unwrap_or_else(|| (def.default.to_owned(), ConfigSource::Default))
}
