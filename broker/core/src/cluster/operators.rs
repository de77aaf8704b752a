//! Which operator may still command (ADR 12).

use weir_types::OperatorEpoch;

use super::apply::Outcome;
use super::{ClusterError, ClusterReply, Image};

impl Image {
    /// Hears an operator of `epoch`, unless a later one was heard before.
    pub(super) fn hear_operator(&mut self, epoch: OperatorEpoch) -> Result<(), ClusterError> {
        let have = self.operator_epoch;
        if epoch < have {
            return Err(ClusterError::StaleOperator { have, asked: epoch });
        }
        self.operator_epoch = epoch;
        Ok(())
    }
}

pub(super) fn set_epoch(image: &mut Image, epoch: OperatorEpoch, force: bool) -> Outcome {
    if force {
        image.operator_epoch = epoch;
    } else {
        image.hear_operator(epoch)?;
    }
    Ok(ClusterReply::Done)
}

pub(super) fn refuse_nested(image: &Image, asked: OperatorEpoch) -> Outcome {
    let have = image.operator_epoch;
    Err(ClusterError::StaleOperator { have, asked })
}
