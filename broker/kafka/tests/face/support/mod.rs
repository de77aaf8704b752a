//! A small engine in memory, and a client that speaks through the codec.

pub mod client;
mod engine;
mod fake;
mod log;

pub use client::Client;
pub use fake::{FakeEngine, Place, partition_view};

use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use weir_kafka::{KafkaConfig, KafkaFace};

/// A face over a fake engine on a loopback port.
pub struct Served {
    pub engine: Arc<FakeEngine>,
    pub port: u16,
    pub stop: watch::Sender<bool>,
    pub task: JoinHandle<()>,
}

impl Served {
    pub async fn start() -> Self {
        Self::with(FakeEngine::default(), KafkaConfig::default()).await
    }

    pub async fn with(engine: FakeEngine, config: KafkaConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port");
        let port = listener.local_addr().expect("it is bound").port();
        engine.set_port(port);
        let engine = Arc::new(engine);
        let (stop, stopped) = watch::channel(false);
        let face = KafkaFace::new(Arc::clone(&engine) as Arc<dyn weir_api::Engine>, config);
        let task = tokio::spawn(face.serve(listener, "PLAIN".to_owned(), stopped));
        Self {
            engine,
            port,
            stop,
            task,
        }
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.port).await
    }
}
