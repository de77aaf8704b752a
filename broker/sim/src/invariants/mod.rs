//! What must hold, one file a property. Each looks at what it is shown and says what is wrong.

mod committed_reads;
mod epochs_match;
mod greatest_leads;
mod high_watermark;
mod logs_match;
mod no_duplicates;
mod no_loss;
mod one_leader;
mod reassigned;
mod sound_metadata;

use std::fmt;

pub use committed_reads::CommittedReads;
pub use epochs_match::EpochsMatch;
pub use greatest_leads::GreatestLeads;
pub use high_watermark::HighWatermarkView;
pub use logs_match::LogsMatch;
pub use no_duplicates::NoDuplicates;
pub use no_loss::NoLoss;
pub use one_leader::OneLeader;
pub use reassigned::Reassigned;
pub use sound_metadata::SoundMetadata;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub property: &'static str,
    pub detail: String,
}

impl Violation {
    pub fn new(property: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { property, detail }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.detail)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Invariants {
    pub no_loss: NoLoss,
    pub logs_match: LogsMatch,
    pub epochs_match: EpochsMatch,
    pub greatest_leads: GreatestLeads,
    pub one_leader: OneLeader,
    pub reassigned: Reassigned,
    pub high_watermark: HighWatermarkView,
    pub no_duplicates: NoDuplicates,
    pub committed_reads: CommittedReads,
    pub sound_metadata: SoundMetadata,
}
