//! A leader's part: followers' positions, ISR proposals, the high watermark.

use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, Millis, Offset, PartitionEpoch};

use super::progress::Progress;
use super::proposal::{AfterRefusal, Proposal};
use super::{Command, IsrRefused, LogState, Membership, ReplicaConfig};

/// State that lasts one leader epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leading {
    pub(super) epoch: LeaderEpoch,
    /// Our log's end when the epoch began.
    pub(super) start: Offset,
    pub(super) followers: Vec<Progress>,
    proposal: Option<Proposal>,
    /// After a refusal nothing is proposed before this.
    quiet_until: Millis,
}

/// What a leader's rules look at besides its own state.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) me: BrokerId,
    pub(super) now: Millis,
    pub(super) config: ReplicaConfig,
    pub(super) log: LogState,
    pub(super) high_watermark: Offset,
    pub(super) membership: &'a Membership,
}

impl Surroundings<'_> {
    fn live_epoch(&self, id: BrokerId) -> Option<BrokerEpoch> {
        self.membership
            .live
            .iter()
            .find(|(live, _)| *live == id)
            .map(|(_, epoch)| *epoch)
    }

    /// Live under the registration that told us its positions, and here to stay.
    fn may_join(&self, follower: &Progress) -> bool {
        !self.membership.stopping.contains(&follower.id)
            && self
                .live_epoch(follower.id)
                .is_some_and(|epoch| follower.is_of_epoch(epoch))
    }

    fn is_in_isr(&self, id: BrokerId) -> bool {
        self.membership.isr.contains(&id)
    }
}

impl Leading {
    /// Rule 4's other half: a new leader knows nothing of its followers.
    pub(super) fn new(around: Surroundings<'_>) -> Self {
        let mut leading = Self {
            epoch: around.membership.leader_epoch,
            start: around.log.end,
            followers: Vec::new(),
            proposal: None,
            quiet_until: around.now,
        };
        leading.follow_membership(around);
        leading
    }

    /// New metadata of the same leader epoch.
    pub(super) fn follow_membership(&mut self, around: Surroundings<'_>) {
        let members = around.membership;
        self.followers.retain(|f| members.replicas.contains(&f.id));
        for &id in members.replicas.iter().filter(|id| **id != around.me) {
            if !self.followers.iter().any(|f| f.id == id) {
                let grace = around.is_in_isr(id).then_some(around.now);
                self.followers.push(Progress::new(id, grace));
            }
        }
        for follower in &mut self.followers {
            if let Some(epoch) = around.live_epoch(follower.id) {
                // Older than what it told us itself: the metadata here is behind, nothing to do.
                let _newer = follower.enter_epoch(epoch);
            }
        }
        self.settle_proposal(around);
    }

    /// Drops the proposal once the partition epoch has moved past the one it compares with.
    fn settle_proposal(&mut self, around: Surroundings<'_>) {
        let members = around.membership;
        let Some(proposal) = self.proposal.take_if(|p| p.base < members.partition_epoch) else {
            return;
        };
        for follower in &mut self.followers {
            if proposal.additions.contains(&follower.id) && around.is_in_isr(follower.id) {
                follower.joins(around.now);
            }
        }
    }

    pub(super) fn leader_appended(&mut self, now: Millis, old_end: Offset, new_end: Offset) {
        for follower in &mut self.followers {
            follower.leader_grows(now, old_end, new_end);
        }
    }

    pub(super) fn follower_fetched(
        &mut self,
        around: Surroundings<'_>,
        id: BrokerId,
        epoch: BrokerEpoch,
        offset: Offset,
    ) {
        let end = around.log.end;
        if let Some(follower) = self.follower_of_epoch(around, id, epoch)
            && offset <= end
        {
            follower.fetched(around.now, offset, end);
        }
    }

    pub(super) fn follower_synced(
        &mut self,
        around: Surroundings<'_>,
        id: BrokerId,
        epoch: BrokerEpoch,
        durable_end: Offset,
    ) {
        let end = around.log.end;
        if let Some(follower) = self.follower_of_epoch(around, id, epoch) {
            follower.synced(around.now, durable_end, end);
        }
    }

    /// The follower, unless the event comes from an earlier registration of it (KIP-903).
    fn follower_of_epoch(
        &mut self,
        around: Surroundings<'_>,
        id: BrokerId,
        epoch: BrokerEpoch,
    ) -> Option<&mut Progress> {
        if around.live_epoch(id).is_some_and(|live| epoch < live) {
            return None;
        }
        let follower = self.followers.iter_mut().find(|f| f.id == id)?;
        follower.enter_epoch(epoch).then_some(follower)
    }

    pub(super) fn refused(
        &mut self,
        around: Surroundings<'_>,
        base: PartitionEpoch,
        reason: IsrRefused,
    ) {
        let soon = around.now.plus(around.config.retry_ms);
        let Some(proposal) = self.proposal.as_mut().filter(|p| p.base == base) else {
            return;
        };
        match proposal.refused(reason, soon) {
            AfterRefusal::Keep => {}
            AfterRefusal::Drop => {
                self.proposal = None;
                self.quiet_until = soon;
            }
            AfterRefusal::Barrier => proposal.isr = committed_isr(around),
        }
    }

    /// Asks again for what got no answer, or proposes what the followers' positions call for.
    pub(super) fn propose(&mut self, around: Surroundings<'_>, out: &mut Vec<Command>) {
        let retry_at = around.now.plus(around.config.proposal_ms_max);
        if let Some(proposal) = &mut self.proposal {
            if proposal.is_due(around.now) {
                proposal.asked_again(retry_at);
                out.push(self.proposal_command(around));
            }
            return;
        }
        if around.now < self.quiet_until || around.live_epoch(around.me).is_none() {
            return;
        }
        let (isr, additions) = self.wanted_isr(around);
        if additions.is_empty() && !self.has_laggard(around) {
            return;
        }
        let base = around.membership.partition_epoch;
        self.proposal = Some(Proposal::new(base, isr, additions, retry_at));
        out.push(self.proposal_command(around));
    }

    /// Whether a follower that just reported is worth looking at for [`Self::propose`].
    pub(super) fn may_join(&self, around: Surroundings<'_>, id: BrokerId) -> bool {
        self.proposal.is_none() && !around.is_in_isr(id)
    }

    fn proposal_command(&self, around: Surroundings<'_>) -> Command {
        let (base, isr) = match &self.proposal {
            Some(proposal) => (proposal.base, proposal.isr.clone()),
            None => (around.membership.partition_epoch, committed_isr(around)),
        };
        Command::ProposeIsr {
            leader_epoch: self.epoch,
            partition_epoch: base,
            isr,
        }
    }

    /// The committed ISR without laggards, with those that are ready; and who is ready.
    fn wanted_isr(
        &self,
        around: Surroundings<'_>,
    ) -> (Vec<(BrokerId, BrokerEpoch)>, Vec<BrokerId>) {
        let mut isr = Vec::with_capacity(around.membership.replicas.len());
        let mut additions = Vec::new();
        for &id in &around.membership.replicas {
            let Some(epoch) = around.live_epoch(id) else {
                continue;
            };
            let follower = self.followers.iter().find(|f| f.id == id);
            let wanted = match follower {
                None => id == around.me,
                Some(f) if around.is_in_isr(id) => !is_laggard(f, around),
                Some(f) => {
                    let ready = self.is_ready(f, around);
                    if ready {
                        additions.push(id);
                    }
                    ready
                }
            };
            if wanted {
                isr.push((id, epoch));
            }
        }
        (isr, additions)
    }

    /// Durable up to all that may have been acknowledged, under its current registration. The
    /// high watermark alone does not say that much before it has passed our epoch's start.
    fn is_ready(&self, follower: &Progress, around: Surroundings<'_>) -> bool {
        around.may_join(follower)
            && follower
                .position()
                .is_some_and(|p| p >= around.high_watermark && p >= self.start)
    }

    fn has_laggard(&self, around: Surroundings<'_>) -> bool {
        self.followers
            .iter()
            .any(|f| around.is_in_isr(f.id) && is_laggard(f, around))
    }

    /// Rule 1. None while it is frozen or blocked by a follower of unknown position.
    pub(super) fn committed_end(&self, around: Surroundings<'_>) -> Option<Offset> {
        let members = around.membership;
        if members.isr.len() < members.min_isr.min(members.replicas.len()) {
            return None;
        }
        let mut least = around.log.durable_end;
        for follower in &self.followers {
            if self.counts(follower, around) {
                least = least.min(follower.position()?);
            }
        }
        Some(least)
    }

    fn counts(&self, follower: &Progress, around: Surroundings<'_>) -> bool {
        let proposed = || {
            self.proposal
                .as_ref()
                .is_some_and(|p| p.additions.contains(&follower.id))
        };
        let about_to_join = || {
            let lag = around.config.join_ms_max.min(around.config.lag_ms_max);
            follower.position().is_some()
                && around.may_join(follower)
                && follower.is_caught_up(around.now, around.log.end, lag)
        };
        around.is_in_isr(follower.id) || proposed() || about_to_join()
    }
}

fn is_laggard(follower: &Progress, around: Surroundings<'_>) -> bool {
    !follower.is_caught_up(around.now, around.log.end, around.config.lag_ms_max)
}

fn committed_isr(around: Surroundings<'_>) -> Vec<(BrokerId, BrokerEpoch)> {
    let members = around.membership.isr.iter();
    members
        .filter_map(|id| Some((*id, around.live_epoch(*id)?)))
        .collect()
}
