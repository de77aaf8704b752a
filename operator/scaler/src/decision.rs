//! What is decided, and why.

use serde::{Deserialize, Serialize};

use crate::{Freeze, Inputs, TopicPartition};

/// The answer of [`crate::decide`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What `spec.replicas` of the target should be; equal to [`crate::Observation::replicas`] when nothing is to
    /// be written.
    pub replicas: u32,
    pub reason: Reason,
    /// One or more sentences with the figures, for people.
    pub message: String,
    pub inputs: Inputs,
    /// When to ask again even if nothing is pushed meanwhile, milliseconds.
    pub again_after_ms: u64,
    /// `controller.kubernetes.io/pod-deletion-cost` by pod name, the least is deleted first. To be written before
    /// `replicas` is; empty unless the count goes down, so that a steady group costs no writes.
    pub deletion_costs: Vec<(String, i32)>,
}

/// Why the count is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The count is right.
    Steady,
    ScaleUp,
    ScaleDown,
    /// From zero, because there is something to do.
    WakeUp,
    /// All is committed and nothing is in flight.
    ToZero,
    /// Fewer pods would do for now; whether for long enough to pay for the rebalance is not yet known.
    NotWorthIt,
    /// More pods are needed than `maxReplicas` or than there are partitions with work.
    AtMaximum,
    /// The last step up did not raise the throughput: what the pods write to or call is the limit.
    DownstreamBound,
    /// One partition needs more than one pod can do.
    PartitionBound(TopicPartition),
    /// A partition has a backlog and nobody commits on it although others get on.
    Stuck(TopicPartition),
    /// There is a backlog and nothing is committed at all.
    NoProgress,
    /// The group is sharing out its partitions, figures of that time mislead.
    Rebalancing,
    /// Nothing was committed yet, so the backlog is unknown, and `noCommit: Hold` keeps the count.
    Held,
    /// Something outside forbids a change.
    Frozen(Freeze),
    /// The count was outside `minReplicas` to `maxReplicas`.
    OutOfBounds,
}

impl Reason {
    /// One word in CamelCase, fit for the reason of a condition, of an event and for the label of a metric.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Steady => "Steady",
            Self::ScaleUp => "ScaleUp",
            Self::ScaleDown => "ScaleDown",
            Self::WakeUp => "WakeUp",
            Self::ToZero => "ToZero",
            Self::NotWorthIt => "NotWorthIt",
            Self::AtMaximum => "AtMaximum",
            Self::DownstreamBound => "DownstreamBound",
            Self::PartitionBound(_) => "PartitionBound",
            Self::Stuck(_) => "Stuck",
            Self::NoProgress => "NoProgress",
            Self::Rebalancing => "Rebalancing",
            Self::Held => "Held",
            Self::Frozen(_) => "Frozen",
            Self::OutOfBounds => "OutOfBounds",
        }
    }
}
