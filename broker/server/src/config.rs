//! The broker's configuration file.

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use weir_engine::facade::LocalEngine;
use weir_types::BrokerId;

/// Static settings, one file a broker. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// This broker's id; or take it from the host name's ordinal.
    pub broker_id: Option<i32>,
    #[serde(default)]
    pub broker_id_from_hostname: bool,
    /// Added to the ordinal.
    #[serde(default)]
    pub broker_id_base: i32,
    pub data_dir: PathBuf,
    pub peer: PeerConfig,
    /// Peer addresses of brokers that may know the cluster.
    #[serde(default)]
    pub seeds: Vec<String>,
    pub admin: AdminConfig,
    pub health: HealthConfig,
    pub listeners: Vec<ListenerConfig>,
    pub rack: Option<String>,
    /// A file that names the rack once it is known; `-` stands for none.
    pub rack_file: Option<PathBuf>,
    /// Bytes a second that are read to verify old segments again; 0: none are. About 4 MB without.
    pub scrub_bytes_per_second: Option<u64>,
    /// Forms a new cluster of this id at start, if the folder belongs to none yet. Set on one
    /// broker only; an operator asks for it over the admin channel instead.
    pub form: Option<String>,
    /// Kafka-named defaults of a cluster that this broker forms.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PeerConfig {
    pub bind: SocketAddr,
    /// Where the other brokers reach `bind`.
    pub advertised: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdminConfig {
    pub bind: SocketAddr,
    /// Without it the admin channel must be on loopback.
    pub tls: Option<TlsConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsConfig {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub client_ca: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthConfig {
    pub bind: SocketAddr,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerConfig {
    pub name: String,
    pub protocol: Protocol,
    pub bind: SocketAddr,
    /// `host:port` that clients are told; learnt later if absent.
    pub advertised: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Protocol {
    Kafka,
}

/// A host name or address with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (host, port) = text
            .rsplit_once(':')
            .with_context(|| format!("{text:?} has no port"))?;
        let port = port
            .parse()
            .with_context(|| format!("{text:?}: port {port:?}"))?;
        ensure!(!host.is_empty(), "{text:?} has no host");
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Config {
    /// Reads, fills in `${NAME}` from the environment, and checks.
    ///
    /// # Errors
    /// Says which file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        Self::parse(&text, |name| std::env::var(name).ok())
            .with_context(|| format!("{}", path.display()))
    }

    /// # Errors
    /// See [`Config::read`].
    pub fn parse(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let config: Self = serde_saphyr::from_str(&expand(text, env)?)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        ensure!(
            !self.listeners.is_empty(),
            "listeners: at least one is needed"
        );
        for (place, listener) in self.listeners.iter().enumerate() {
            ensure!(
                !self.listeners[..place]
                    .iter()
                    .any(|l| l.name == listener.name),
                "listeners: {:?} stands twice",
                listener.name
            );
            if let Some(advertised) = &listener.advertised {
                advertised
                    .parse::<Address>()
                    .with_context(|| format!("listener {:?}: advertised", listener.name))?;
            }
        }
        self.peer
            .advertised
            .parse::<Address>()
            .context("peer: advertised")?;
        for seed in &self.seeds {
            seed.parse::<Address>().context("seeds")?;
        }
        ensure!(
            self.admin.tls.is_some() || self.admin.bind.ip().is_loopback(),
            "admin: without tls it must be bound to loopback, not {}",
            self.admin.bind
        );
        ensure!(
            self.broker_id.is_some() != self.broker_id_from_hostname,
            "give either brokerId or brokerIdFromHostname"
        );
        ensure!(
            self.broker_id.unwrap_or(0) >= 0,
            "brokerId must not be negative"
        );
        // On every broker, also where they are of no use: all have the same ones, or should.
        LocalEngine::check_initial_config(&self.config).context("config")?;
        Ok(())
    }

    /// The broker's id, from the file or from the ordinal of `hostname`.
    ///
    /// # Errors
    /// The host name does not end in `-<ordinal>`.
    pub fn broker(&self, hostname: &str) -> Result<BrokerId> {
        if let Some(id) = self.broker_id {
            return Ok(BrokerId(id));
        }
        let ordinal = hostname
            .rsplit_once('-')
            .and_then(|(_, n)| n.parse::<i32>().ok());
        let Some(ordinal) = ordinal.filter(|n| *n >= 0) else {
            bail!("host name {hostname:?} does not end in -<ordinal>");
        };
        Ok(BrokerId(self.broker_id_base + ordinal))
    }
}

/// Replaces `${NAME}`; a name that is not set is an error, not an empty text.
fn expand(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').context("${ without }")?;
        out.push_str(before);
        out.push_str(&env(name).with_context(|| format!("${{{name}}} is not set"))?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
brokerIdFromHostname: true
brokerIdBase: 100
dataDir: /data
peer: {bind: '0.0.0.0:9190', advertised: '${POD}.brokers:9190'}
seeds: ['a:9190']
admin: {bind: '127.0.0.1:9191'}
health: {bind: '0.0.0.0:9192'}
listeners:
- {name: internal, protocol: Kafka, bind: '0.0.0.0:9092', advertised: '${POD}.brokers:9092'}
config: {min.insync.replicas: '2'}
scrubBytesPerSecond: 0
";

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, |name| (name == "POD").then(|| "demo-1".to_owned()))
    }

    #[test]
    fn the_environment_is_filled_in_and_the_id_is_the_ordinal() {
        let config = parse(GOOD).expect("good");
        assert_eq!(config.peer.advertised, "demo-1.brokers:9190");
        assert_eq!(config.scrub_bytes_per_second, Some(0));
        assert_eq!(
            config.broker("demo-default-2").expect("ordinal"),
            BrokerId(102)
        );
        assert!(config.broker("demo").is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error =
            |from: &str, to: &str| format!("{:#}", parse(&GOOD.replace(from, to)).expect_err(to));
        assert!(error("dataDir: /data", "dataDirs: /data").contains("dataDirs"));
        assert!(error("${POD}.brokers:9190", "${PAD}:1").contains("PAD"));
        assert!(error("'a:9190'", "'a'").contains("no port"));
        assert!(error("127.0.0.1:9191", "0.0.0.0:9191").contains("loopback"));
        assert!(error("protocol: Kafka", "protocol: Carrier").contains("Carrier"));
        assert!(error("brokerIdFromHostname: true", "brokerId: -1").contains("negative"));
        assert!(error("min.insync.replicas", "min.insync.replica").contains("min.insync.replica"));
        assert!(error("'2'}", "'two'}").contains("whole number"));
        assert!(error("'2'}", "'0'}").contains("min.insync.replicas"));
    }
}
