use tokio::net::TcpListener;
use tokio::sync::watch;
use weir_kafka::{KafkaConfig, KafkaFace};

use crate::support::FakeEngine;

/// Serves real clients from memory on the port WEIR_FAKE_PORT until it is killed:
/// `cargo test -p weir-kafka --test face by_hand -- --ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs until it is killed"]
async fn by_hand() {
    let port = std::env::var("WEIR_FAKE_PORT").expect("WEIR_FAKE_PORT says where to listen");
    let port: u16 = port.parse().expect("a port");
    let engine = FakeEngine {
        alone: true,
        ..FakeEngine::default()
    };
    engine.set_port(port);
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("the port is free");
    let (_stop, stopped) = watch::channel(false);
    let face = KafkaFace::new(std::sync::Arc::new(engine), KafkaConfig::default());
    face.serve(listener, "PLAIN".to_owned(), stopped).await;
}
