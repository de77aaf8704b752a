//! What goes wrong, and for how long.

use crate::broker::{SYNC_POINTS, SyncPoint};
use crate::dice::Dice;

/// Faults that a run draws from. Which broker is drawn when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// At once; what is not synced is lost, in part or whole.
    PowerLoss,
    /// When the broker next comes to this point.
    PowerLossAt(SyncPoint),
    /// After so many more changes of the disk, wherever that falls.
    PowerLossAfter(u64),
    /// All brokers at once.
    Blackout,
    /// The process dies, the machine does not: nothing written is lost.
    Kill,
    OrderlyStop,
    /// Cut off from the other brokers, not from the controller.
    CutFromBrokers,
    /// Cut off from the controller, not from the other brokers.
    CutFromController,
    /// Cut off from everybody, clients too.
    CutFromAll,
    /// It hears nobody, and everybody hears it.
    Deaf,
    /// Every link loses and delays.
    Storm,
    SlowDisk,
    FailedSync,
    FullDisk,
    /// Leaders go back to the preferred replicas.
    Preferred,
    /// The process dies, and a bit of a log has turned over when it comes back, where nothing
    /// hangs on it.
    FlippedBit,
    /// The folder comes back empty, when nothing hangs on it.
    LostFolder,
}

/// How often each is drawn.
const WEIGHTS: [(Fault, u64); 15] = [
    (Fault::PowerLoss, 12),
    (Fault::Blackout, 8),
    (Fault::Kill, 8),
    (Fault::OrderlyStop, 6),
    (Fault::CutFromBrokers, 7),
    (Fault::CutFromController, 7),
    (Fault::CutFromAll, 7),
    (Fault::Deaf, 4),
    (Fault::Storm, 7),
    (Fault::SlowDisk, 5),
    (Fault::FailedSync, 4),
    (Fault::FullDisk, 4),
    (Fault::Preferred, 5),
    (Fault::LostFolder, 4),
    (Fault::FlippedBit, 5),
];

/// Draws one; many of them are power losses at a point of a sync, or of any change of the disk.
pub fn draw(dice: &mut Dice) -> Fault {
    if dice.chance(150) {
        return Fault::PowerLossAfter(dice.range(1, 200));
    }
    if dice.chance(200) {
        let point = dice.pick(&SYNC_POINTS).copied();
        return Fault::PowerLossAt(point.unwrap_or(SyncPoint::BeforeSync));
    }
    let total: u64 = WEIGHTS.iter().map(|(_, w)| w).sum();
    let mut left = dice.below(total);
    for (fault, weight) in WEIGHTS {
        if left < weight {
            return fault;
        }
        left -= weight;
    }
    Fault::PowerLoss
}
