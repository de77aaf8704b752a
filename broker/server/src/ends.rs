//! How a broker ends: asked to, or because something it needs has ended.

use anyhow::{Result, anyhow};
use std::time::Duration;
use tokio::task::JoinSet;
use tracing::{info, warn};
use weir_engine::facade::LocalEngine;
use weir_engine::partition::Partitions;

/// Resolves when the disk can be trusted no more.
pub async fn fatal(partitions: &Partitions) -> anyhow::Error {
    let mut reason = partitions.fatal();
    match reason.wait_for(Option::is_some).await {
        Ok(reason) => anyhow!(reason.clone().unwrap_or_default()),
        Err(_) => anyhow!("the partitions stopped"),
    }
}

/// Resolves if the cluster refuses the configuration that this broker formed it with; sees to it
/// that it gets it.
pub async fn not_formed(engine: &LocalEngine) -> anyhow::Error {
    match engine.finish_forming().await {
        Ok(()) => std::future::pending().await,
        Err(error) => anyhow!(error).context("config"),
    }
}

/// Resolves when the process is asked to stop.
pub async fn signalled() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = term.recv() => info!("asked to stop"),
        _ = int.recv() => info!("interrupted"),
    }
    Ok(())
}

/// None of these tasks ends while the broker runs: whichever does took the broker with it.
pub async fn first_end(
    faces: &mut JoinSet<Result<()>>,
    rest: &mut JoinSet<Result<()>>,
) -> Result<()> {
    let ended = tokio::select! {
        Some(ended) = faces.join_next() => ended,
        Some(ended) = rest.join_next() => ended,
        else => return Err(anyhow!("nothing is being served")),
    };
    ended??;
    Err(anyhow!("a listener closed"))
}

/// How long connections get to end by themselves.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

pub async fn finish(what: &str, tasks: &mut JoinSet<Result<()>>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(FINISH_WITHIN, all).await.is_err() {
        warn!("{what} did not end in time");
        tasks.abort_all();
    }
}
