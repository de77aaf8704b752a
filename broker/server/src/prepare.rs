//! What a broker knows of itself before it joins: its folder, its name, its place.

use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;
use weir_engine::listener;
use weir_engine::partition::{PartitionsConfig, Recovered, recover};
use weir_engine::quorum::{QuorumConfig, QuorumTiming};
use weir_engine::store::{DataFolder, open_folder};
use weir_types::BrokerId;

use crate::config::{Address, Config};
use crate::rack;

/// Opens the folder and every log in it.
pub async fn open(path: PathBuf, broker: BrokerId) -> Result<(Arc<DataFolder>, Recovered)> {
    let named = path.clone();
    let open = move || {
        let folder = Arc::new(open_folder(&path, broker)?);
        // Each log gets its own configuration as soon as the metadata is known.
        let recovered = recover(&folder, |_| weir_engine::store::LogConfig::default())?;
        Ok::<_, weir_engine::store::StorageError>((folder, recovered))
    };
    let opened = tokio::task::spawn_blocking(open).await?;
    opened.with_context(|| format!("data folder {}", named.display()))
}

pub fn hostname() -> String {
    std::env::var("POD_NAME")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default()
}

pub fn partitions_config(config: &Config, broker: BrokerId) -> PartitionsConfig {
    let mut partitions = PartitionsConfig::new(broker);
    if let Some(rate) = config.scrub_bytes_per_second {
        partitions.scrub_bytes_per_second = rate;
    }
    partitions
}

/// The rack may have to be waited for.
pub async fn quorum_config(
    config: &Config,
    broker: BrokerId,
    folder: &DataFolder,
    recovered: &Recovered,
) -> QuorumConfig {
    let listeners = config.listeners.iter().map(|l| {
        let address = l
            .advertised
            .as_deref()
            .and_then(|a| a.parse::<Address>().ok());
        // Without an address of its own yet, it is not told to clients.
        let (host, port) = address.map_or((String::new(), 0), |a| (a.host, a.port));
        listener(l.name.clone(), host, port)
    });
    QuorumConfig {
        folder: config.data_dir.clone(),
        folder_id: folder.folder_id(),
        broker,
        rack: match &config.rack_file {
            Some(file) => rack::learn(file).await,
            None => config.rack.clone(),
        },
        peer_address: config.peer.advertised.clone(),
        listeners: listeners.collect(),
        seeds: config.seeds.clone(),
        incarnation: Uuid::new_v4(),
        clean: folder.was_clean(),
        ineligible: recovered.ineligible.clone(),
        timing: QuorumTiming::default(),
    }
}
