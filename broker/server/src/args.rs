use clap::Parser;
use std::path::PathBuf;

/// A message broker for Kafka clients.
#[derive(Clone, Debug, Parser)]
#[command(name = "weir-broker", version)]
pub struct Args {
    /// One broker on loopback, no cluster, topics on first use; Kafka clients on 127.0.0.1:9092.
    #[arg(long, conflicts_with = "config")]
    pub dev: bool,
    /// With --dev: a folder that stays. Without it the data is gone when the process ends.
    #[arg(long, requires = "dev")]
    pub data_dir: Option<PathBuf>,
    /// With --dev: the Kafka port; admin, health and peers listen on other ports of loopback.
    #[arg(long, requires = "dev", default_value_t = 9092)]
    pub port: u16,
    /// The broker's configuration file.
    #[arg(long, required_unless_present = "dev")]
    pub config: Option<PathBuf>,
    /// Log lines as JSON.
    #[arg(long, env = "WEIR_LOG_JSON")]
    pub log_json: bool,
}
