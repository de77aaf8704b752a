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
        read_only: is_read_only(resource, def),
        value_type: def.type_code(),
        documentation: def.doc,
    }
}

/// Most configs of a broker are those of all.
fn is_read_only(resource: &ConfigResource, def: &ConfigDef) -> bool {
    matches!(resource, ConfigResource::Broker(_)) && !def.is_per_broker()
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
        ConfigResource::Broker(_) if !is_read_only(resource, def) => set(resource, def.name)
            .map(|v| (v, ConfigSource::DynamicBroker))
            .or_else(|| shared(def.name)),
        ConfigResource::Broker(_) | ConfigResource::ClusterDefault => shared(def.name),
    };
    found.unwrap_or_else(|| (def.default.to_owned(), ConfigSource::Default))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::cluster::{ClusterCommand, Registration};
    use weir_types::{BrokerId, FolderId};

    fn registered() -> Image {
        let (image, _) = Image::default().apply(&ClusterCommand::Form {
            cluster_id: "t".to_owned(),
        });
        let registration = Registration {
            broker: BrokerId(0),
            folder: FolderId(uuid::Uuid::from_u128(1)),
            incarnation: uuid::Uuid::from_u128(1),
            rack: None,
            peer_address: String::new(),
            listeners: Vec::new(),
            clean: true,
            ineligible: Vec::new(),
        };
        let (image, outcome) = image.apply(&ClusterCommand::RegisterBroker(registration));
        outcome.expect("a new broker");
        image
    }

    #[test]
    fn one_broker_shows_as_its_own_to_change_only_what_is() {
        let one = ConfigTarget::Broker(BrokerId(0));
        let entries = describe(&registered(), &one).expect("it is registered");
        let own = entries.iter().filter(|e| !e.read_only);
        let names: Vec<_> = own.map(|e| e.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "follower.replication.throttled.rate",
                "leader.replication.throttled.rate"
            ]
        );
        let all = describe(&registered(), &ConfigTarget::ClusterDefault).expect("always there");
        assert_eq!(all.len(), entries.len());
        assert!(all.iter().all(|e| !e.read_only));
    }
}
