//! The admin channel's certificate, read again whenever its files change: what mounts them renews
//! them in place.

use anyhow::{Context as _, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{info, warn};
use weir_grpc::AdminTls;

use crate::config::TlsConfig;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// For the metrics.
#[derive(Debug, Default)]
pub struct Renewals {
    /// Certificates that were taken after the first.
    pub taken: AtomicU64,
    /// Changes of the files that made no usable certificate.
    pub refused: AtomicU64,
}

/// Reads the files for the first time.
///
/// # Errors
/// Says which file cannot be read, or that they make no certificate.
pub fn read(config: &TlsConfig) -> Result<AdminTls> {
    let read =
        |path: &Path| std::fs::read(path).with_context(|| format!("admin tls: {}", path.display()));
    let tls = AdminTls {
        cert: read(&config.cert)?,
        key: read(&config.key)?,
        client_ca: read(&config.client_ca)?,
    };
    tls.check()
        .with_context(|| format!("admin tls: {}", config.cert.display()))?;
    Ok(tls)
}

/// Looks at the files until `stop` turns true. Files that make no certificate, such as a new one
/// beside the old key, change nothing: they may be half-written.
pub async fn renew(
    config: TlsConfig,
    current: watch::Sender<AdminTls>,
    renewals: Arc<Renewals>,
    mut stop: watch::Receiver<bool>,
) {
    let mut refused = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let (files, cert) = (config.clone(), config.cert.display());
        let read = tokio::task::spawn_blocking(move || read(&files)).await;
        match read.map_err(anyhow::Error::from).and_then(|read| read) {
            Ok(tls) if tls == *current.borrow() => refused = None,
            Ok(tls) => {
                info!(%cert, "the admin certificate was renewed: new connections get the new one");
                current.send_replace(tls);
                renewals.taken.fetch_add(1, Ordering::Relaxed);
                refused = None;
            }
            Err(error) => {
                let why = format!("{error:#}");
                // Once a reason, not every time.
                if refused.as_ref() != Some(&why) {
                    warn!(%cert, error = %why, "the admin certificate's files are not usable: the old one stays");
                    renewals.refused.fetch_add(1, Ordering::Relaxed);
                    refused = Some(why);
                }
            }
        }
    }
}
