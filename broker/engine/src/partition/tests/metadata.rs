//! Metadata that is decided on the spot, and each broker's view of it.

use async_trait::async_trait;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use weir_core::cluster::{ClusterCommand, ClusterReply, Image};
use weir_types::BrokerEpoch;

use super::super::MetadataLink;
use crate::quorum::ProposeError;

/// The metadata of all brokers, decided by whoever asks first.
#[derive(Default)]
pub(super) struct Metadata {
    image: Mutex<Arc<Image>>,
    links: Mutex<Vec<Arc<Link>>>,
}

/// One broker's view of it.
pub(super) struct Link {
    metadata: Arc<Metadata>,
    pub(super) epoch: BrokerEpoch,
    images: watch::Sender<Arc<Image>>,
    /// Neither hears nor is heard any more.
    cut: AtomicBool,
    /// Hears what is new later.
    behind: AtomicBool,
}

impl Metadata {
    pub(super) fn apply(&self, command: &ClusterCommand) -> ClusterReply {
        self.try_apply(command).expect("a valid command")
    }

    fn try_apply(&self, command: &ClusterCommand) -> Result<ClusterReply, ProposeError> {
        let mut image = self.image.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, reply) = image.apply(command);
        *image = Arc::new(next);
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        for link in links.iter().filter(|l| l.hears()) {
            link.images.send_replace(Arc::clone(&image));
        }
        Ok(reply?)
    }

    pub(super) fn image(&self) -> Arc<Image> {
        Arc::clone(&self.image.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// For a broker registered under `epoch`.
    pub(super) fn link(self: &Arc<Self>, epoch: BrokerEpoch) -> Arc<Link> {
        let link = Arc::new(Link {
            metadata: Arc::clone(self),
            epoch,
            images: watch::channel(self.image()).0,
            cut: AtomicBool::new(false),
            behind: AtomicBool::new(false),
        });
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.push(Arc::clone(&link));
        link
    }
}

impl Link {
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// What is decided from now on is heard after [`Self::catch_up`].
    pub(super) fn fall_behind(&self) {
        self.behind.store(true, Ordering::SeqCst);
    }

    pub(super) fn catch_up(&self) {
        self.behind.store(false, Ordering::SeqCst);
        self.images.send_replace(self.metadata.image());
    }

    fn hears(&self) -> bool {
        !self.cut.load(Ordering::SeqCst) && !self.behind.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl MetadataLink for Link {
    fn image(&self) -> Arc<Image> {
        Arc::clone(&self.images.borrow())
    }

    fn subscribe(&self) -> watch::Receiver<Arc<Image>> {
        self.images.subscribe()
    }

    fn broker_epoch(&self) -> Option<BrokerEpoch> {
        Some(self.epoch)
    }

    async fn propose(&self, command: ClusterCommand) -> Result<ClusterReply, ProposeError> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(ProposeError::Unavailable("cut off".to_owned()));
        }
        self.metadata.try_apply(&command)
    }
}
