//! A consumer that reads on, and now and then begins anew.

use weir_types::{Offset, PartitionId};

use crate::dice::Dice;
use crate::message::Consume;

#[derive(Clone, Debug)]
pub struct Consumer {
    partitions: Vec<PartitionId>,
    /// By partition, in the same order.
    positions: Vec<Offset>,
    asked: Option<(Consume, usize)>,
}

impl Consumer {
    pub fn new(partitions: Vec<PartitionId>) -> Self {
        let positions = vec![Offset::ZERO; partitions.len()];
        Self {
            partitions,
            positions,
            asked: None,
        }
    }

    /// The next read; what was asked before and not answered is forgotten.
    pub fn ask(&mut self, dice: &mut Dice, request: u64) -> Option<Consume> {
        let index = dice.index(self.partitions.len());
        if dice.chance(30) {
            let position = self.positions.get_mut(index)?;
            position.0 = i64::try_from(dice.below(position.0.unsigned_abs() + 1)).unwrap_or(0);
        }
        let (partition, from) = (*self.partitions.get(index)?, *self.positions.get(index)?);
        let consume = Consume {
            request,
            partition,
            from,
        };
        self.asked = Some((consume, index));
        Some(consume)
    }

    /// What was asked, if this is its answer.
    pub fn take(&mut self, request: u64) -> Option<(Consume, usize)> {
        self.asked.take_if(|(asked, _)| asked.request == request)
    }

    /// Goes on from here, or begins anew.
    pub fn advance(&mut self, index: usize, to: Offset) {
        if let Some(position) = self.positions.get_mut(index) {
            *position = to;
        }
    }
}
