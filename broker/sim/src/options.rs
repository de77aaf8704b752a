//! What one run does.

use std::fmt;
use std::str::FromStr;

/// A known bug put back, so that finding it proves something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    #[default]
    None,
    /// Durability is claimed as soon as the bytes are written.
    AckBeforeSync,
    /// A follower of a new epoch cuts its log to its high watermark instead of asking where the
    /// logs part (what KIP-101 repaired).
    CutToHighWatermark,
    /// A restarted broker believes metadata from before its registration, and goes on leading.
    LeadOldEpoch,
    /// A reassignment ends as soon as it begins: the new replicas take over with empty logs.
    SwitchUnsynced,
    /// Of replicas that all stopped uncleanly, the first that is back leads, whatever it holds.
    ElectFirstBack,
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::AckBeforeSync => "ack-before-sync",
            Self::CutToHighWatermark => "cut-to-high-watermark",
            Self::LeadOldEpoch => "lead-old-epoch",
            Self::SwitchUnsynced => "switch-unsynced",
            Self::ElectFirstBack => "elect-first-back",
        })
    }
}

impl FromStr for Plant {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "none" => Ok(Self::None),
            "ack-before-sync" => Ok(Self::AckBeforeSync),
            "cut-to-high-watermark" => Ok(Self::CutToHighWatermark),
            "lead-old-epoch" => Ok(Self::LeadOldEpoch),
            "switch-unsynced" => Ok(Self::SwitchUnsynced),
            "elect-first-back" => Ok(Self::ElectFirstBack),
            other => Err(format!(
                "unknown bug {other}: ack-before-sync, cut-to-high-watermark, lead-old-epoch, \
                 switch-unsynced, elect-first-back"
            )),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Client operations (writes and reads) before everything is healed.
    pub operations: u64,
    /// Faults spread evenly over them.
    pub faults: u64,
    pub plant: Plant,
    /// Print what happens.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            operations: 5000,
            faults: 20,
            plant: Plant::None,
            trace: false,
        }
    }
}
