use bytes::Bytes;

use super::{
    Effect, Group, GroupError, Join, Joined, State, Time, Waiter,
    member::{Member, protocols_bytes},
    timers::Timer,
};

impl Group {
    /// JoinGroup. Answered at once, or when the join phase ends.
    pub fn join(&mut self, now: Time, waiter: Waiter, mut join: Join, out: &mut Vec<Effect>) {
        keep_first_of_each_name(&mut join.protocols);
        if let Err(error) = self.try_join(now, waiter, join, out) {
            out.push(Effect::Joined {
                waiter,
                answer: Err(error),
            });
        }
    }

    /// An error is still to be told; otherwise the waiter is answered or on the roster.
    fn try_join(
        &mut self,
        now: Time,
        waiter: Waiter,
        join: Join,
        out: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        if self.state == State::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let bounds = self.config.session_timeout_ms_min..=self.config.session_timeout_ms_max;
        if !bounds.contains(&join.session_timeout_ms) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        if !self.has_room_for(&join) {
            self.forget(&join.member, out);
            self.try_complete_join(now, out);
            return Err(GroupError::MaxSizeReached);
        }
        if !self.supports(&join) {
            return Err(GroupError::InconsistentProtocol);
        }
        if join.member.is_empty() {
            self.join_newcomer(now, waiter, join, out)
        } else if self.roster.is_pending_join(&join.member) && join.instance.is_none() {
            let id = join.member.clone();
            self.add_member(now, waiter, id, join, out);
            Ok(())
        } else {
            self.roster.check(&join.member, join.instance.as_deref())?;
            self.join_again(now, waiter, join, out);
            Ok(())
        }
    }

    /// While a rebalance is prepared only those who came in time count, so that the last of a
    /// group that is too large are turned away.
    fn has_room_for(&self, join: &Join) -> bool {
        let known = self.roster.get(&join.member);
        let replaced = join
            .instance
            .as_deref()
            .and_then(|i| self.roster.instance(i));
        let old = known.or_else(|| replaced.and_then(|id| self.roster.get(id)));
        let old_bytes = old.map_or(0, |m| protocols_bytes(&m.protocols));
        let new_bytes = protocols_bytes(&join.protocols);
        if self.roster.bytes() - old_bytes + new_bytes > self.config.metadata_bytes_max
            || join.protocols.len() > self.config.protocols_max
        {
            return false;
        }
        let max = self.config.members_max;
        if join.member.is_empty() && self.roster.pending_join_count() >= max {
            return false;
        }
        match self.state {
            State::Empty | State::Dead => true,
            State::PreparingRebalance => {
                old.is_some_and(|m| m.joining.is_some()) || self.roster.joining_count() < max
            }
            State::CompletingRebalance | State::Stable => old.is_some() || self.roster.len() < max,
        }
    }

    fn supports(&self, join: &Join) -> bool {
        if self.state == State::Empty {
            return !join.protocol_type.is_empty() && !join.protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(join.protocol_type.as_str())
            && join
                .protocols
                .iter()
                .any(|(name, _)| self.roster.all_support(name))
    }

    fn join_newcomer(
        &mut self,
        now: Time,
        waiter: Waiter,
        join: Join,
        out: &mut Vec<Effect>,
    ) -> Result<(), GroupError> {
        let stem = join.instance.as_deref().unwrap_or(&join.client_id);
        let id = format!("{stem}-{}", join.unique);
        let held = join
            .instance
            .as_deref()
            .and_then(|i| self.roster.instance(i));
        if let Some(old) = held.map(str::to_owned) {
            self.replace_static(now, waiter, &old, id, join, out);
            return Ok(());
        }
        if join.require_known_member && join.instance.is_none() {
            self.roster.add_pending_join(id.clone());
            let session_ms = i64::from(join.session_timeout_ms);
            self.timers
                .arm(now.steady, session_ms, Timer::Session(id.clone()));
            return Err(GroupError::MemberIdRequired(id));
        }
        self.add_member(now, waiter, id, join, out);
        Ok(())
    }

    fn add_member(
        &mut self,
        now: Time,
        waiter: Waiter,
        id: String,
        join: Join,
        out: &mut Vec<Effect>,
    ) {
        if self.roster.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if let Some(initial) = &mut self.initial {
            initial.newcomers = true;
        }
        self.roster.add(Member::new(id.clone(), join, waiter));
        let patience_ms = self.config.new_member_join_timeout_ms;
        self.timers.arm(now.steady, patience_ms, Timer::Session(id));
        self.rebalance_or_complete(now, out);
    }

    /// A member of this group joins once more: the checks are done.
    fn join_again(&mut self, now: Time, waiter: Waiter, join: Join, out: &mut Vec<Effect>) {
        let unchanged = self
            .roster
            .get(&join.member)
            .is_some_and(|m| m.matches(&join.protocols));
        let leads = self.roster.is_leader(&join.member);
        let current = match self.state {
            // It may not have received the answer: the same again.
            State::CompletingRebalance => unchanged,
            // The leader may have seen a change that is not in its metadata, as of a topic.
            State::Stable => unchanged && !leads,
            _ => false,
        };
        if current {
            let list = leads && self.state == State::CompletingRebalance;
            out.push(Effect::Joined {
                waiter,
                answer: Ok(self.joined(&join.member, list)),
            });
            return;
        }
        self.update_member(waiter, &join.member, join.protocols, out);
        if let Some(member) = self.roster.get_mut(&join.member) {
            member.session_timeout_ms = join.session_timeout_ms;
            member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        }
        self.rebalance_or_complete(now, out);
    }

    /// Notes what the member offers now and that `waiter` waits in its name.
    pub(super) fn update_member(
        &mut self,
        waiter: Waiter,
        id: &str,
        protocols: Vec<(String, Bytes)>,
        out: &mut Vec<Effect>,
    ) {
        self.roster.set_protocols(id, protocols);
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        // An earlier request of the same member, most likely of a connection that is gone.
        if let Some(waiter) = member.joining.replace(waiter) {
            out.push(Effect::Joined {
                waiter,
                answer: Err(GroupError::RebalanceInProgress),
            });
        }
    }

    /// The answer to a member's join in this generation.
    pub(super) fn joined(&self, id: &str, with_members: bool) -> Joined {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = if with_members {
            self.roster.joined_members(&protocol)
        } else {
            vec![]
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type().to_owned(),
            protocol,
            leader: self.roster.leader().unwrap_or_default().to_owned(),
            member: id.to_owned(),
            skip_assignment: false,
            members,
        }
    }
}

/// A name that stands twice would count as two votes.
fn keep_first_of_each_name(protocols: &mut Vec<(String, Bytes)>) {
    let mut seen = std::collections::BTreeSet::new();
    protocols.retain(|(name, _)| seen.insert(name.clone()));
}
