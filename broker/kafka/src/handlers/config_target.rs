//! Resources that have configs, as requests name them.

use weir_api::{ConfigSource, ConfigTarget, Error, Result, TopicRef};
use weir_types::BrokerId;

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

/// A broker without a name stands for all brokers.
pub(super) fn parse(resource_type: i8, name: &str) -> Result<ConfigTarget> {
    match resource_type {
        TOPIC => Ok(ConfigTarget::Topic(TopicRef::Name(name.to_owned()))),
        BROKER if name.is_empty() => Ok(ConfigTarget::ClusterDefault),
        BROKER => match name.parse() {
            Ok(id) => Ok(ConfigTarget::Broker(BrokerId(id))),
            Err(_) => Err(Error::InvalidRequest(format!("`{name}` is no broker id"))),
        },
        other => Err(Error::InvalidRequest(format!(
            "resource type {other} has no configs"
        ))),
    }
}

/// Kafka's number for where a value comes from.
pub(super) fn source_number(source: ConfigSource) -> i8 {
    match source {
        ConfigSource::DynamicTopic => 1,
        ConfigSource::DynamicBroker => 2,
        ConfigSource::DynamicClusterDefault => 3,
        ConfigSource::StaticBroker => 4,
        ConfigSource::Default => 5,
    }
}
