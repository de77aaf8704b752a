//! This operator's time in office (ADR 12): the number that its calls of brokers carry, and whether
//! one of them has told that it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;
use tokio::sync::watch;

/// Brokers have heard a later operator. The process must end: as with a lost lease, another leads.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "brokers at {host} refuse this operator's epoch {ours}, for they have heard {heard}: another \
     operator leads, or the lease's version went back (etcd restored from a backup? then see \
     \"The operator's epoch is over\" in the runbook)"
)]
pub struct Over {
    pub host: String,
    pub ours: u64,
    pub heard: u64,
}

/// Shared by whoever calls brokers.
#[derive(Clone, Debug, Default)]
pub struct Term(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// 0: none, and brokers are called without.
    epoch: AtomicU64,
    over: watch::Sender<Option<Over>>,
}

impl Term {
    /// From now on calls carry this epoch.
    pub fn begin(&self, epoch: u64) {
        self.0.epoch.store(epoch, Ordering::SeqCst);
    }

    pub fn epoch(&self) -> Option<u64> {
        Some(self.0.epoch.load(Ordering::SeqCst)).filter(|e| *e > 0)
    }

    /// A broker says that `heard` is later.
    pub fn end(&self, host: &str, heard: u64) {
        let ours = self.epoch().unwrap_or(0);
        let host = host.to_owned();
        self.0.over.send_replace(Some(Over { host, ours, heard }));
    }

    /// Waits for the end. Cancel safe.
    pub async fn over(&self) -> Over {
        let mut over = self.0.over.subscribe();
        // The sender lives as long as `self`.
        match over.wait_for(Option::is_some).await.map(|o| o.clone()) {
            Ok(Some(over)) => over,
            _ => std::future::pending().await,
        }
    }
}
