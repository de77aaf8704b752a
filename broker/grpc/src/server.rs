//! Listening, with mutual TLS where it is configured.

use futures::stream::{BoxStream, StreamExt as _};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tonic::transport::{Certificate, Error, Identity, Server, ServerTlsConfig};
use weir_api::Engine;
use weir_proto::admin::{admin_server, backlog_server, placement_server};

use crate::backlog::BacklogService;
use crate::placement;
use crate::service::Service;

/// Largest admin message in either direction, bytes.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// PEM texts: the server's certificate chain and key, and the authority that signs clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminTls {
    pub cert: Vec<u8>,
    pub key: Vec<u8>,
    pub client_ca: Vec<u8>,
}

impl AdminTls {
    /// Whether a server could be run with it.
    ///
    /// # Errors
    /// Not PEM, or a key that is not the certificate's.
    pub fn check(&self) -> Result<(), Error> {
        builder(Some(self)).map(|_| ())
    }
}

/// The admin face on one listener.
pub struct AdminServer {
    engine: Arc<dyn Engine>,
    tls: Option<watch::Receiver<AdminTls>>,
}

type Serving = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

impl AdminServer {
    /// Without `tls` the channel is open to whoever reaches it: for loopback only. What comes
    /// over `tls` later is used for new connections; it must have been checked.
    pub fn new(engine: Arc<dyn Engine>, tls: Option<watch::Receiver<AdminTls>>) -> Self {
        Self { engine, tls }
    }

    /// Serves until `stop` turns true; calls in flight are finished, watches are cut.
    ///
    /// # Errors
    /// A certificate that cannot be used, or a broken listener.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let listener = Arc::new(listener);
        // Servers of earlier certificates: their connections are told to go, and may finish.
        let mut retired = JoinSet::new();
        loop {
            let tls = self.tls.as_mut().map(|t| t.borrow_and_update().clone());
            let (retire, until) = oneshot::channel();
            let mut serving = self.serve_with(tls.as_ref(), Arc::clone(&listener), until)?;
            tokio::select! {
                done = &mut serving => return done,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = changed(&mut self.tls) => {}
            }
            // It waits for this as long as it runs.
            let _ = retire.send(());
            retired.spawn(serving);
            while retired.try_join_next().is_some() {}
        }
    }

    fn serve_with(
        &self,
        tls: Option<&AdminTls>,
        listener: Arc<TcpListener>,
        until: oneshot::Receiver<()>,
    ) -> Result<Serving, Error> {
        let placement = placement_server::PlacementServer::new(placement::Service {
            engine: Arc::clone(&self.engine),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let service = admin_server::AdminServer::new(Service {
            engine: Arc::clone(&self.engine),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let backlog = backlog_server::BacklogServer::new(BacklogService {
            engine: Arc::clone(&self.engine),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let serving = builder(tls)?
            .add_service(service)
            .add_service(placement)
            .add_service(backlog)
            .serve_with_incoming_shutdown(accepted(listener), async {
                // A sender that is gone ends it too.
                let _ = until.await;
            });
        Ok(Box::pin(serving))
    }
}

fn builder(tls: Option<&AdminTls>) -> Result<Server, Error> {
    let server = Server::builder();
    let Some(tls) = tls else {
        return Ok(server);
    };
    let config = ServerTlsConfig::new()
        .identity(Identity::from_pem(&tls.cert, &tls.key))
        .client_ca_root(Certificate::from_pem(&tls.client_ca));
    server.tls_config(config)
}

fn accepted(listener: Arc<TcpListener>) -> BoxStream<'static, io::Result<TcpStream>> {
    let next = |listener: Arc<TcpListener>| async {
        let accepted = listener.accept().await.map(|(socket, _)| socket);
        if let Ok(socket) = &accepted {
            // Without it calls are only slower.
            let _ = socket.set_nodelay(true);
        }
        Some((accepted, listener))
    };
    futures::stream::unfold(listener, next).boxed()
}

/// Resolves when there is another certificate; never without TLS.
async fn changed(tls: &mut Option<watch::Receiver<AdminTls>>) {
    if let Some(tls) = tls
        && tls.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}
