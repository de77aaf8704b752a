//! Listening, with mutual TLS where it is configured.

use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use weir_api::Engine;
use weir_proto::admin::admin_server;

use crate::service::Service;

/// Largest admin message in either direction, bytes.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// PEM texts: the server's certificate chain and key, and the authority that signs clients.
#[derive(Clone, Debug)]
pub struct AdminTls {
    pub cert: Vec<u8>,
    pub key: Vec<u8>,
    pub client_ca: Vec<u8>,
}

/// The admin face on one listener.
pub struct AdminServer {
    engine: Arc<dyn Engine>,
    tls: Option<AdminTls>,
}

impl AdminServer {
    /// Without `tls` the channel is open to whoever reaches it: for loopback only.
    pub fn new(engine: Arc<dyn Engine>, tls: Option<AdminTls>) -> Self {
        Self { engine, tls }
    }

    /// Serves until `stop` turns true; calls in flight are finished, watches are cut.
    ///
    /// # Errors
    /// A certificate that cannot be used, or a broken listener.
    pub async fn serve(
        self,
        listener: TcpListener,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), tonic::transport::Error> {
        let service = admin_server::AdminServer::new(Service {
            engine: self.engine,
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let mut server = Server::builder().tcp_nodelay(true);
        if let Some(tls) = self.tls {
            let config = ServerTlsConfig::new()
                .identity(Identity::from_pem(tls.cert, tls.key))
                .client_ca_root(Certificate::from_pem(tls.client_ca));
            server = server.tls_config(config)?;
        }
        let serving = server
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::select! {
            done = serving => done,
            _ = stop.wait_for(|stop| *stop) => Ok(()),
        }
    }
}
