//! The little that partitions need of the metadata quorum.

use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::watch;
use weir_core::cluster::{ClusterCommand, ClusterReply, Image};
use weir_types::BrokerEpoch;

use crate::quorum::{ProposeError, Quorum};

/// Where the metadata comes from and goes to. [`Quorum`] in a broker; tests bring a smaller one.
#[async_trait]
pub trait MetadataLink: Send + Sync + 'static {
    fn image(&self) -> Arc<Image>;
    fn subscribe(&self) -> watch::Receiver<Arc<Image>>;
    /// The epoch of this process's registration, once it has one.
    fn broker_epoch(&self) -> Option<BrokerEpoch>;
    async fn propose(&self, command: ClusterCommand) -> Result<ClusterReply, ProposeError>;
}

#[async_trait]
impl MetadataLink for Quorum {
    fn image(&self) -> Arc<Image> {
        Quorum::image(self)
    }

    fn subscribe(&self) -> watch::Receiver<Arc<Image>> {
        Quorum::subscribe(self)
    }

    fn broker_epoch(&self) -> Option<BrokerEpoch> {
        Quorum::broker_epoch(self)
    }

    async fn propose(&self, command: ClusterCommand) -> Result<ClusterReply, ProposeError> {
        Quorum::propose(self, command).await
    }
}
