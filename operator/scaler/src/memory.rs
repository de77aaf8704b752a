//! What was learnt, small enough for an annotation or a status field.

use serde::{Deserialize, Serialize};

use crate::bound::Downstream;
use crate::down::Fewer;
use crate::learn::Learnt;
use crate::wish::Wish;
use crate::work::{Age, Silence};

/// Survives a restart of the operator: store it after each decision that changed it, at most every few seconds.
/// Unknown fields are ignored and missing ones are as if nothing was learnt, so older and newer operators read each
/// other's; under 4 KiB as JSON whatever the group's size. Times are of [`crate::Observation::at_ms`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// Of the last observation.
    pub(crate) seen_ms: u64,
    pub(crate) learnt: Learnt,
    pub(crate) age: Age,
    pub(crate) silence: Silence,
    pub(crate) fewer: Fewer,
    pub(crate) wish: Wish,
    pub(crate) downstream: Downstream,
    /// The last change of the count by this scaler: when, from and to what.
    pub(crate) step: Step,
    /// Since when all is committed and nothing arrives.
    pub(crate) idle_since_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Step {
    pub at_ms: u64,
    pub from: u32,
    pub to: u32,
}
