use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};
use tracing::{debug, warn};
use weir_api::{Caller, Engine};

use crate::{KafkaConfig, connection, context::Context};

/// How long to wait after an accept failed, so that a lack of file descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Kafka's protocol over an engine. Cheap to clone; all clones share limits and fetch sessions.
#[derive(Clone)]
pub struct KafkaFace {
    context: Arc<Context>,
    connections: Arc<Semaphore>,
}

impl KafkaFace {
    pub fn new(engine: Arc<dyn Engine>, config: KafkaConfig) -> Self {
        let connections = Arc::new(Semaphore::new(config.connections_max));
        Self {
            context: Arc::new(Context::new(engine, config)),
            connections,
        }
    }

    /// Serves a listener until `stop` turns true or its sender is gone; then takes no new
    /// requests, finishes those begun (within [`KafkaConfig::drain_max`]) and returns when every
    /// connection is closed. Clients are told the brokers' addresses on listeners of that name.
    pub async fn serve(
        self,
        listener: TcpListener,
        listener_name: String,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Err(error) = ended {
                        warn!(%error, listener = %listener_name, "a Kafka connection's task failed");
                    }
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => match Arc::clone(&self.connections).try_acquire_owned() {
                    Ok(permit) => {
                        let caller = Caller {
                            principal: "User:ANONYMOUS".to_owned(),
                            listener: listener_name.clone(),
                            client_id: String::new(),
                            peer: Some(peer),
                        };
                        let context = Arc::clone(&self.context);
                        tasks.spawn(serve_one(context, socket, caller, stop.clone(), permit));
                    }
                    Err(_) => {
                        warn!(%peer, listener = %listener_name, "too many connections: closed");
                    }
                },
                Err(error) => {
                    warn!(%error, listener = %listener_name, "accepting a connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        while tasks.join_next().await.is_some() {}
    }
}

async fn serve_one(
    context: Arc<Context>,
    socket: TcpStream,
    caller: Caller,
    stop: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) {
    let peer = caller.peer;
    if let Err(error) = socket.set_nodelay(true) {
        debug!(?peer, %error, "no TCP_NODELAY");
    }
    connection::run(context, socket, caller, stop).await;
}
