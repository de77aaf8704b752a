//! Links that delay, lose, double and reorder messages, and that are cut.

use std::collections::BTreeSet;

use crate::dice::Dice;
use crate::message::Node;

/// The state of all links. Delays differ from message to message, so that messages overtake
/// each other: worse than TCP, as after reconnects.
#[derive(Clone, Debug)]
pub struct Net {
    /// Directed, so that a link may carry one way only.
    cut: BTreeSet<(Node, Node)>,
    pub loss_per_mille: u64,
    pub double_per_mille: u64,
    pub delay_us_max: u64,
}

impl Default for Net {
    fn default() -> Self {
        Self {
            cut: BTreeSet::new(),
            loss_per_mille: 1,
            double_per_mille: 2,
            delay_us_max: 2_000,
        }
    }
}

impl Net {
    /// Delays after which copies of one message arrive; none if it is lost.
    pub fn deliveries(&self, dice: &mut Dice, from: Node, to: Node) -> Vec<u64> {
        if self.cut.contains(&(from, to)) || dice.chance(self.loss_per_mille) {
            return Vec::new();
        }
        let copies = if dice.chance(self.double_per_mille) {
            2
        } else {
            1
        };
        // Most are quick, some are not.
        let worst = if dice.chance(30) {
            self.delay_us_max * 10
        } else {
            self.delay_us_max
        };
        (0..copies).map(|_| dice.range(100, worst)).collect()
    }

    pub fn cut(&mut self, from: Node, to: Node) {
        self.cut.insert((from, to));
    }

    pub fn heal(&mut self) {
        *self = Self::default();
    }
}
