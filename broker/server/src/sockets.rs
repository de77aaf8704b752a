//! Every socket that the broker listens on.

use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use tokio::net::TcpListener;

use crate::config::Config;

/// Bound before anything else is done: a port that is taken ends the process with nothing
/// touched.
pub struct Sockets {
    pub peer: TcpListener,
    pub admin: TcpListener,
    pub health: TcpListener,
    /// With the listeners' names.
    pub kafka: Vec<(String, TcpListener)>,
}

impl Sockets {
    pub async fn bind(config: &Config) -> Result<Self> {
        let mut kafka = Vec::new();
        for listener in &config.listeners {
            kafka.push((
                listener.name.clone(),
                bind(&listener.name, listener.bind).await?,
            ));
        }
        Ok(Self {
            peer: bind("peer", config.peer.bind).await?,
            admin: bind("admin", config.admin.bind).await?,
            health: bind("health", config.health.bind).await?,
            kafka,
        })
    }
}

async fn bind(name: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listener {name:?} on {address}"))
}
