//! Where replicas lie and where they should: pure planners over the map of replicas.
//!
//! A planner looks at the map as it is now and says what is still to be done; nothing is
//! remembered between two looks, so a plan goes on wherever the operator died. `drain` empties a
//! broker, `spread` evens out the numbers of replicas, `leaders` and `disk` even out preferred
//! leaders and bytes, `wave` takes as much of a plan as may run at once. `together`
//! tells which brokers may be away at once.

mod disk;
mod draft;
mod drain;
mod leaders;
mod map;
mod member;
mod obstacle;
mod partition;
mod proposal;
mod reassignment;
mod spread;
mod tally;
mod together;
mod wave;

pub use disk::disk;
pub use drain::{Why, drain};
pub use leaders::leaders;
pub use map::ReplicaMap;
pub use member::Member;
pub use obstacle::Obstacle;
pub use partition::Partition;
pub use proposal::Proposal;
pub use reassignment::{Reassignment, sized};
pub use spread::spread;
pub use together::{stoppable, tolerated};
pub use wave::wave;

/// Whether a look may begin to even things out, or goes on with what has begun. What has begun
/// is brought to its end; what has not needs a difference that is worth the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Resting,
    Running,
}

impl Mood {
    /// Whether counts from `least` to `most` around `mean` are worth evening out.
    fn uneven(self, least: usize, most: usize, mean: usize) -> bool {
        let bearable = match self {
            Mood::Running => 1,
            // A fifth, so that topics that come and go move nothing.
            Mood::Resting => (mean / 5).max(2),
        };
        most.saturating_sub(least) > bearable
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
