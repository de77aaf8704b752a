//! What a shell asks a replica.

use weir_types::{BrokerId, Offset};

use super::machine::State;
use super::{LogState, Membership, Replica, Role};

impl Replica {
    pub fn role(&self) -> Role {
        match &self.state {
            State::Idle => Role::Idle,
            State::Leader(leading) => Role::Leader {
                epoch: leading.epoch,
            },
            State::Follower { leader, epoch, .. } => Role::Follower {
                leader: *leader,
                epoch: *epoch,
            },
        }
    }

    /// Exclusive end of what is committed, as far as this replica knows. Only goes back when the
    /// log is cut below it (after an unclean election).
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Rule 4: whether this is a leader whose high watermark has passed its epoch's start, and
    /// may be told to clients. Before that it may lie below what an earlier leader told.
    pub fn hw_is_served(&self) -> bool {
        matches!(&self.state, State::Leader(l) if self.high_watermark >= l.start)
    }

    /// The committed ISR, as last heard.
    pub fn isr(&self) -> &[BrokerId] {
        self.membership.as_ref().map_or(&[], |m| &m.isr)
    }

    /// Whether the metadata as last heard gives `broker` a replica. What a broker that is none yet
    /// tells its leader is lost: it is refused, so that it says it again.
    pub fn has_replica(&self, broker: BrokerId) -> bool {
        let members = self.membership.as_ref();
        members.is_some_and(|m| m.replicas.contains(&broker))
    }

    /// The metadata as last heard, with the ISR that the quorum has answered since.
    pub fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// Leader: the one of `among` that is furthest caught up, if it is in sync and holds all
    /// below `offset` (KIP-392). Of equals the first.
    pub fn furthest(&self, among: &[BrokerId], offset: Offset) -> Option<BrokerId> {
        let State::Leader(leading) = &self.state else {
            return None;
        };
        let held = |id: &BrokerId| {
            let follower = leading.followers.iter().find(|f| f.id == *id)?;
            let held = follower.held()?;
            (self.isr().contains(id) && held.0 >= offset).then_some((held, *id))
        };
        // Reversed: of equals `max_by_key` takes the last.
        let found = among.iter().rev().filter_map(held);
        found.max_by_key(|(held, _)| *held).map(|(_, id)| id)
    }

    pub fn log(&self) -> LogState {
        self.log
    }

    /// Whether a write with acks=all may be appended; if not, it is refused with "not enough
    /// replicas" before anything is written.
    pub fn has_min_isr(&self) -> bool {
        self.membership
            .as_ref()
            .is_some_and(|m| m.isr.len() >= m.min_isr.min(m.replicas.len()))
    }

    /// Whether a write that ends at `end` (exclusive) may be acknowledged: committed with
    /// acks=all, durable here with acks=1. False when this is not the leader.
    pub fn wait_satisfied(&self, end: Offset, acks_all: bool) -> bool {
        let reached = if acks_all {
            self.high_watermark
        } else {
            self.log.durable_end
        };
        matches!(self.state, State::Leader(_)) && reached >= end
    }
}
