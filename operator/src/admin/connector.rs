//! Connections to brokers: gRPC with mutual TLS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint as Target};

use super::broker::Broker;
use super::refusal::reasons;
use super::{Admin, AdminError, AdminResult, Connector, Endpoint, Identity};
use crate::term::Term;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Connections kept; beyond that all are dropped and made again as needed.
const CHANNELS_MAX: usize = 4096;

/// Keeps a connection to each broker.
#[derive(Default)]
pub struct GrpcConnector {
    term: Term,
    channels: Mutex<HashMap<String, (Arc<Identity>, Channel)>>,
}

impl GrpcConnector {
    /// Calls carry the epoch of `term`, which ends if a broker says so.
    pub fn new(term: Term) -> Self {
        Self {
            term,
            channels: Mutex::default(),
        }
    }
}

impl Connector for GrpcConnector {
    fn broker(&self, endpoint: &Endpoint) -> AdminResult<Arc<dyn Admin>> {
        let host = format!("{}:{}", endpoint.host, endpoint.port);
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = channels
            .get(&host)
            .filter(|(identity, _)| *identity == endpoint.identity)
            .map(|(_, channel)| channel.clone());
        let channel = match kept {
            Some(channel) => channel,
            None => {
                if channels.len() >= CHANNELS_MAX {
                    channels.clear();
                }
                let channel = connect(&host, &endpoint.identity)?;
                let entry = (endpoint.identity.clone(), channel.clone());
                channels.insert(host.clone(), entry);
                channel
            }
        };
        Ok(Arc::new(Broker::new(host, channel, self.term.clone())))
    }
}

fn connect(host: &str, identity: &Identity) -> AdminResult<Channel> {
    let unusable = |why: tonic::transport::Error| AdminError::Unreachable {
        host: host.to_owned(),
        why: reasons(&why),
    };
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&identity.ca))
        .identity(tonic::transport::Identity::from_pem(
            &identity.cert,
            &identity.key,
        ));
    let target = Target::from_shared(format!("https://{host}"))
        .and_then(|t| t.tls_config(tls))
        .map_err(unusable)?;
    Ok(target
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .connect_lazy())
}
