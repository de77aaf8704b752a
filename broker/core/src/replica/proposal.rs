//! An ISR that the leader asked the quorum for and that is not settled.

use weir_types::{BrokerEpoch, BrokerId, Millis, PartitionEpoch};

use super::IsrRefused;

/// At most one a leader. Settled only when the partition epoch moves past `base`, or when the
/// quorum refuses it while no earlier attempt can still be under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    /// The partition epoch that it compares with.
    pub(super) base: PartitionEpoch,
    pub(super) isr: Vec<(BrokerId, BrokerEpoch)>,
    /// Joined by this proposal, if it was or will be taken: they count for the high watermark.
    pub(super) additions: Vec<BrokerId>,
    /// An attempt had no known outcome, and may be taken yet.
    unsure: bool,
    /// When to ask again if nothing is heard.
    retry_at: Millis,
}

/// What a refusal means for the proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterRefusal {
    Keep,
    /// It will never be taken: forget it.
    Drop,
    /// Something of it may be taken yet: ask for the committed ISR instead, which moves the
    /// partition epoch and so settles it.
    Barrier,
}

impl Proposal {
    pub(super) fn new(
        base: PartitionEpoch,
        isr: Vec<(BrokerId, BrokerEpoch)>,
        additions: Vec<BrokerId>,
        retry_at: Millis,
    ) -> Self {
        Self {
            base,
            isr,
            additions,
            unsure: false,
            retry_at,
        }
    }

    pub(super) fn is_due(&self, now: Millis) -> bool {
        now >= self.retry_at
    }

    /// Asked again; the outcome of the earlier attempt is unknown.
    pub(super) fn asked_again(&mut self, retry_at: Millis) {
        self.unsure = true;
        self.retry_at = retry_at;
    }

    pub(super) fn refused(&mut self, reason: IsrRefused, soon: Millis) -> AfterRefusal {
        match reason {
            // Perhaps an earlier attempt of ours was what moved the epoch: the metadata tells.
            IsrRefused::Stale => AfterRefusal::Keep,
            IsrRefused::Unknown => {
                self.unsure = true;
                self.retry_at = soon;
                AfterRefusal::Keep
            }
            IsrRefused::Ineligible if self.unsure => {
                self.retry_at = soon;
                AfterRefusal::Barrier
            }
            IsrRefused::Ineligible => AfterRefusal::Drop,
        }
    }
}
