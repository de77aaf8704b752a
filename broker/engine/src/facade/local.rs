//! One broker's engine: what it holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use weir_core::cluster::Image;
use weir_types::{BrokerId, OperatorEpoch};

use super::producers::ProducerIds;
use crate::group::Groups;
use crate::partition::Partitions;
use crate::quorum::Quorum;

/// One broker's engine. Cheap to clone: all clones are the same broker.
#[derive(Clone)]
pub struct LocalEngine {
    pub(super) me: BrokerId,
    pub(super) quorum: Quorum,
    pub(super) partitions: Partitions,
    pub(super) groups: Groups,
    pub(super) producers: Arc<ProducerIds>,
    /// Cluster-wide configs of a cluster that this broker forms, by Kafka's names.
    pub(super) initial_config: Arc<BTreeMap<String, String>>,
    /// In whose hand it is, if in an operator's.
    pub(super) operator: Option<OperatorEpoch>,
}

impl LocalEngine {
    pub fn new(
        me: BrokerId,
        quorum: Quorum,
        partitions: Partitions,
        groups: Groups,
        initial_config: BTreeMap<String, String>,
    ) -> Self {
        let producers = Arc::new(ProducerIds::new(me, quorum.clone()));
        Self {
            me,
            quorum,
            partitions,
            groups,
            producers,
            initial_config: Arc::new(initial_config),
            operator: None,
        }
    }

    pub(super) fn image(&self) -> Arc<Image> {
        self.quorum.image()
    }

    /// The same engine in an operator's hand.
    pub(super) fn held_by(&self, epoch: OperatorEpoch) -> Self {
        Self {
            operator: Some(epoch),
            ..self.clone()
        }
    }
}
