//! The first quorum, and the settings that a cluster is formed with.

use std::collections::BTreeMap;
use std::time::Duration;
use weir_api::{Error, Result};
use weir_core::cluster::{ClusterCommand, ConfigOp, ConfigResource, check_defaults};

use super::{LocalEngine, errors};

/// Pause before the quorum is asked again.
const RETRY: Duration = Duration::from_secs(1);

impl LocalEngine {
    /// Whether a cluster can be formed with these configs; to be asked before anything is
    /// written.
    ///
    /// # Errors
    /// `InvalidConfig` names the first that is unknown or cannot have its value.
    pub fn check_initial_config(config: &BTreeMap<String, String>) -> Result<()> {
        check_defaults(config).map_err(errors::from_cluster)
    }

    pub(super) async fn form_cluster(&self, cluster_id: &str) -> Result<()> {
        Self::check_initial_config(&self.initial_config)?;
        self.quorum
            .form(cluster_id)
            .await
            .map_err(|e| errors::from_quorum(&e))?;
        if self.lacks_initial_config() {
            self.set_initial_config().await?;
        }
        Ok(())
    }

    /// Sets the initial config of a cluster that was formed and did not get it before its founder
    /// stopped. Ends when that is done, at once if it was before.
    ///
    /// # Errors
    /// The quorum refuses it, which a retry does not change.
    pub async fn finish_forming(&self) -> Result<()> {
        let mut images = self.quorum.subscribe();
        loop {
            let joined = images
                .wait_for(|image| image.brokers.contains_key(&self.me))
                .await
                .map(drop);
            if joined.is_err() || !self.lacks_initial_config() {
                return Ok(());
            }
            match self.set_initial_config().await {
                // Nobody leads the quorum yet.
                Err(Error::NotController | Error::TimedOut) => tokio::time::sleep(RETRY).await,
                done => return done,
            }
        }
    }

    fn lacks_initial_config(&self) -> bool {
        let image = self.image();
        let set = image.configs.contains_key(&ConfigResource::ClusterDefault);
        !set && !self.initial_config.is_empty()
    }

    async fn set_initial_config(&self) -> Result<()> {
        let config = self.initial_config.iter();
        let ops = config
            .map(|(k, v)| ConfigOp::Set(k.clone(), v.clone()))
            .collect();
        let resource = ConfigResource::ClusterDefault;
        self.propose(ClusterCommand::AlterConfig {
            resource,
            ops,
            validate_only: false,
        })
        .await
        .map(drop)
    }
}
