use bytes::Bytes;
use std::collections::BTreeMap;

use super::{
    Effect, Group, GroupError, State, Sync, Synced, Time, Waiter, machine::Persisting,
    timers::Timer,
};

/// A leader's assignment, until it is written.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub generation: i32,
    /// For every member of the generation.
    by_member: BTreeMap<String, Bytes>,
}

impl Group {
    /// SyncGroup. Answered at once, or when the leader's assignment is written.
    pub fn sync(&mut self, waiter: Waiter, sync: Sync, out: &mut Vec<Effect>) {
        if let Err(error) = self.check_sync(&sync) {
            out.push(Effect::Synced {
                waiter,
                answer: Err(error),
            });
            return;
        }
        let id = sync.claim.member.clone();
        self.roster.has_synced(&id);
        if self.roster.pending_sync().is_empty() {
            self.timers.cancel(&Timer::Sync);
        }
        if self.state == State::Stable {
            out.push(Effect::Synced {
                waiter,
                answer: Ok(self.synced(&id)),
            });
            return;
        }
        if let Some(member) = self.roster.get_mut(&id)
            && let Some(waiter) = member.syncing.replace(waiter)
        {
            out.push(Effect::Synced {
                waiter,
                answer: Err(GroupError::RebalanceInProgress),
            });
        }
        if self.roster.is_leader(&id) && !self.is_assigning() {
            self.assign(sync.assignments, out);
        }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), GroupError> {
        if self.state == State::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let claim = &sync.claim;
        self.roster
            .check(&claim.member, claim.instance.as_deref())?;
        if claim.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let differs =
            |asked: &Option<String>, ours: &Option<String>| asked.is_some() && asked != ours;
        if differs(&sync.protocol_type, &self.protocol_type)
            || differs(&sync.protocol, &self.protocol)
        {
            return Err(GroupError::InconsistentProtocol);
        }
        match self.state {
            State::CompletingRebalance | State::Stable => Ok(()),
            _ => Err(GroupError::RebalanceInProgress),
        }
    }

    /// Has the leader's assignment written; only members are assigned anything.
    fn assign(&mut self, assignments: Vec<(String, Bytes)>, out: &mut Vec<Effect>) {
        let given: BTreeMap<String, Bytes> = assignments.into_iter().collect();
        let by_member: BTreeMap<String, Bytes> = self
            .roster
            .ids()
            .into_iter()
            .map(|id| {
                let assignment = given.get(&id).cloned().unwrap_or_default();
                (id, assignment)
            })
            .collect();
        let snapshot = self.snapshot(Some(&by_member));
        let what = Assignment {
            generation: self.generation,
            by_member,
        };
        self.persist(Persisting::Assignment(what), snapshot, out);
    }

    pub(super) fn assignment_is_written(
        &mut self,
        now: Time,
        what: Assignment,
        result: Result<(), GroupError>,
        out: &mut Vec<Effect>,
    ) {
        // The group may have gone on: the next generation writes its own.
        if self.state != State::CompletingRebalance || self.generation != what.generation {
            return;
        }
        if let Err(error) = result {
            self.fail_syncs(now, &error, out);
            self.prepare_rebalance(now, out);
            return;
        }
        for (id, assignment) in what.by_member {
            self.roster.set_assignment(&id, assignment);
        }
        self.enter(now, State::Stable);
        for id in self.roster.ids() {
            let waiter = self.roster.get_mut(&id).and_then(|m| m.syncing.take());
            if let Some(waiter) = waiter {
                out.push(Effect::Synced {
                    waiter,
                    answer: Ok(self.synced(&id)),
                });
                self.arm_session(now, &id);
            }
        }
    }

    /// Members that did not sync in time are removed.
    pub(super) fn sync_phase_is_over(&mut self, now: Time, out: &mut Vec<Effect>) {
        let in_phase = matches!(self.state, State::CompletingRebalance | State::Stable);
        let late = self.roster.pending_sync().clone();
        if !in_phase || late.is_empty() {
            return;
        }
        for id in late {
            self.forget(&id, out);
        }
        self.prepare_rebalance(now, out);
    }

    fn synced(&self, id: &str) -> Synced {
        Synced {
            protocol_type: self.protocol_type().to_owned(),
            protocol: self.protocol.clone().unwrap_or_default(),
            assignment: self
                .roster
                .get(id)
                .map(|m| m.assignment.clone())
                .unwrap_or_default(),
        }
    }
}
