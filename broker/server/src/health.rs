//! Liveness, readiness and metrics, on a port of their own.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// What the probes are answered from.
#[derive(Clone)]
pub struct Health {
    /// Why the broker is not ready; `None`: it is.
    pub unready: watch::Receiver<Option<String>>,
    /// Set once the partitions run.
    pub metrics: Arc<OnceLock<Metrics>>,
}

/// Answers until `stop` turns true. Liveness needs nothing but a process that runs.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            // A dropped sender also means that the process ends.
            drop(stop.wait_for(|stop| *stop).await);
        })
        .await
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    match &*health.unready.borrow() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(health): State<Health>) -> (StatusCode, String) {
    let Some(metrics) = health.metrics.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned());
    };
    match metrics.encode() {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
