//! One operator works at a time: a Lease, taken and renewed by PUT with the version that was
//! read. Expiry is judged by the local monotonic clock, from when a change was last seen. The
//! lease is no fence: writes carry preconditions of their own, and calls of brokers the version of
//! the write that took the lease (ADR 12).

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

use crate::metrics::Metrics;

/// How long a lease holds without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// A holder that could not renew for so long stops: well before another may take it.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// The lease is another's, or could not be renewed in time. The process must end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("lost the lease: {0}")]
pub struct Lost(String);

pub struct Elector {
    api: Api<Lease>,
    name: String,
    identity: String,
    metrics: Metrics,
}

/// A lease as it was last seen, and when it last changed.
struct Seen {
    version: Option<String>,
    at: Instant,
}

impl Elector {
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: String,
        metrics: Metrics,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity,
            metrics,
        }
    }

    /// Waits until the lease is ours. Answers the epoch that begins: greater than that of whoever
    /// had it before; `None` if the API server's versions are no numbers. Cancel safe.
    pub async fn acquire(&self) -> Option<u64> {
        let mut seen: Option<Seen> = None;
        loop {
            match self.try_acquire(&mut seen).await {
                Ok(Some(lease)) => {
                    let epoch = epoch(&lease);
                    tracing::info!(identity = %self.identity, epoch, "leading");
                    if epoch.is_none() {
                        tracing::warn!(
                            "the lease's version is no number: brokers cannot tell this operator from a former one"
                        );
                    }
                    self.metrics.leader.set(1);
                    self.renewed();
                    return epoch;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "cannot take the lease"),
            }
            sleep(RETRY).await;
        }
    }

    /// Renews the lease for as long as that works.
    pub async fn hold(&self) -> Lost {
        let mut renewed = Instant::now();
        loop {
            sleep(RETRY).await;
            let left = RENEW_DEADLINE.saturating_sub(renewed.elapsed());
            let started = Instant::now();
            match timeout(left, self.renew()).await {
                Ok(Ok(true)) => {
                    renewed = started;
                    self.renewed();
                }
                Ok(Ok(false)) => return Lost("another holds it".to_owned()),
                Ok(Err(error)) => tracing::warn!(%error, "lease not renewed"),
                Err(_) => return Lost("could not be renewed in time".to_owned()),
            }
            if renewed.elapsed() >= RENEW_DEADLINE {
                return Lost("could not be renewed in time".to_owned());
            }
        }
    }

    /// Gives the lease up, so that the next one need not wait.
    pub async fn release(&self) {
        let Ok(Some(mut lease)) = self.api.get_opt(&self.name).await else {
            return;
        };
        if self.is_ours(&lease) {
            let spec = lease.spec.get_or_insert_default();
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            let _ = self
                .api
                .replace(&self.name, &PostParams::default(), &lease)
                .await;
        }
    }

    fn renewed(&self) {
        let now = jiff::Timestamp::now().as_second();
        self.metrics.lease_renewed_seconds.set(now as f64);
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        let holder = lease.spec.as_ref().and_then(|s| s.holder_identity.as_ref());
        holder == Some(&self.identity)
    }

    async fn try_acquire(&self, seen: &mut Option<Seen>) -> Result<Option<Lease>, kube::Error> {
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            let lease = self.claimed(None);
            return won(self.api.create(&PostParams::default(), &lease).await);
        };
        let version = lease.resource_version();
        let at = match seen {
            Some(seen) if seen.version == version => seen.at,
            _ => Instant::now(),
        };
        *seen = Some(Seen { version, at });
        let holder = lease.spec.as_ref().and_then(|s| s.holder_identity.clone());
        let free = holder.is_none_or(|h| h.is_empty());
        if !free && !self.is_ours(&lease) && at.elapsed() < DURATION {
            return Ok(None);
        }
        let claimed = self.claimed(Some(lease));
        let params = PostParams::default();
        won(self.api.replace(&self.name, &params, &claimed).await)
    }

    async fn renew(&self) -> Result<bool, kube::Error> {
        let lease = self.api.get(&self.name).await?;
        if !self.is_ours(&lease) {
            return Ok(false);
        }
        let claimed = self.claimed(Some(lease));
        let params = PostParams::default();
        // A conflict is looked at again in the next round.
        won(self.api.replace(&self.name, &params, &claimed).await).map(|_| true)
    }

    /// The lease with us as its holder, at the version that was read.
    fn claimed(&self, lease: Option<Lease>) -> Lease {
        let now = Some(MicroTime(jiff::Timestamp::now()));
        let before = lease.as_ref().and_then(|l| l.spec.clone());
        let ours = lease.as_ref().is_some_and(|l| self.is_ours(l));
        let before = before.unwrap_or_default();
        let transitions = before.lease_transitions.unwrap_or(0);
        let metadata = lease.map_or_else(
            || ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            |l| l.metadata,
        );
        Lease {
            metadata,
            spec: Some(LeaseSpec {
                acquire_time: if ours {
                    before.acquire_time
                } else {
                    now.clone()
                },
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
                lease_transitions: Some(transitions + i32::from(!ours)),
                renew_time: now,
                ..LeaseSpec::default()
            }),
        }
    }
}

/// What was written; a conflict means that somebody else was faster.
fn won(answer: Result<Lease, kube::Error>) -> Result<Option<Lease>, kube::Error> {
    match answer {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}

/// The version of a write as a number (KEP-5504: versions of one resource can be compared so).
fn epoch(lease: &Lease) -> Option<u64> {
    let version = lease.metadata.resource_version.as_deref()?;
    version.parse().ok().filter(|epoch| *epoch > 0)
}
