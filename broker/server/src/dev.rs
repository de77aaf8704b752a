//! `--dev`: a whole cluster of one on loopback.

use anyhow::Result;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use uuid::Uuid;

use crate::config::{AdminConfig, Config, HealthConfig, ListenerConfig, PeerConfig, Protocol};

/// Ports of the listeners that are not Kafka's.
#[derive(Clone, Copy)]
struct Ports {
    peer: u16,
    admin: u16,
    health: u16,
}

/// The configuration of a broker that is for one person on one machine.
///
/// # Errors
/// A port too high for the others to follow it.
pub fn config(data_dir: PathBuf, port: u16) -> Result<Config> {
    let on = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ports = if port == 9092 {
        Ports {
            peer: 9190,
            admin: 9191,
            health: 9192,
        }
    } else {
        anyhow::ensure!(
            port < u16::MAX - 3,
            "--port {port}: the three above it are needed too"
        );
        Ports {
            peer: port + 1,
            admin: port + 2,
            health: port + 3,
        }
    };
    Ok(Config {
        broker_id: Some(0),
        broker_id_from_hostname: false,
        broker_id_base: 0,
        data_dir,
        peer: PeerConfig {
            bind: on(ports.peer),
            advertised: on(ports.peer).to_string(),
        },
        seeds: Vec::new(),
        admin: AdminConfig {
            bind: on(ports.admin),
            tls: None,
        },
        health: HealthConfig {
            bind: on(ports.health),
        },
        listeners: vec![ListenerConfig {
            name: "dev".to_owned(),
            protocol: Protocol::Kafka,
            bind: on(port),
            advertised: Some(on(port).to_string()),
        }],
        rack: None,
        rack_file: None,
        scrub_bytes_per_second: None,
        form: Some(format!("dev-{}", Uuid::new_v4())),
        // One person waits for it, so a group does not wait for members that will not come.
        config: BTreeMap::from([(
            "group.initial.rebalance.delay.ms".to_owned(),
            "0".to_owned(),
        )]),
    })
}
