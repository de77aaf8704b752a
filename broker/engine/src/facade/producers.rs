//! Producer ids, taken from the quorum by the block.

use tokio::sync::Mutex;
use weir_api::{Error, Result};
use weir_core::cluster::{ClusterCommand, ClusterReply};
use weir_types::{BrokerId, ProducerId};

use super::errors;
use crate::quorum::Quorum;

/// Ids a block; what is left of it when the broker stops is never used.
const BLOCK: i64 = 1000;

pub(super) struct ProducerIds {
    me: BrokerId,
    quorum: Quorum,
    /// Held while a block is fetched, so that one call fetches for all.
    block: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    pub(super) fn new(me: BrokerId, quorum: Quorum) -> Self {
        Self {
            me,
            quorum,
            block: Mutex::new(0..0),
        }
    }

    /// An id that nobody had before. Cancel safe: at worst a block is lost.
    pub(super) async fn next(&self) -> Result<ProducerId> {
        let mut block = self.block.lock().await;
        if block.is_empty() {
            let epoch = self
                .quorum
                .broker_epoch()
                .ok_or(Error::BrokerNotAvailable)?;
            let command = ClusterCommand::AllocateProducerIds {
                broker: self.me,
                epoch,
                count: BLOCK,
            };
            let reply = self
                .quorum
                .propose(command)
                .await
                .map_err(errors::from_proposal)?;
            let ClusterReply::ProducerIds(first) = reply else {
                return Err(Error::Internal(format!("unexpected answer {reply:?}")));
            };
            *block = first.0..first.0 + BLOCK;
        }
        block
            .next()
            .map(ProducerId)
            .ok_or(Error::BrokerNotAvailable)
    }
}
