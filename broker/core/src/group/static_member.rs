use super::{
    Effect, Group, GroupError, Join, State, Time, Waiter, machine::Persisting, member::Member,
    timers::Timer,
};

/// A static member that took a new id while the group was stable, until that is written.
#[derive(Clone, Debug)]
pub(super) struct Replacement {
    old: Member,
    new_id: String,
    generation: i32,
    waiter: Waiter,
}

impl Group {
    /// A static member comes back without its id (KIP-345): it gets a new one, and the old one
    /// is fenced. In a stable group whose protocol does not change nobody else notices.
    pub(super) fn replace_static(
        &mut self,
        now: Time,
        waiter: Waiter,
        old_id: &str,
        new_id: String,
        join: Join,
        out: &mut Vec<Effect>,
    ) {
        self.timers.cancel(&Timer::Session(old_id.to_owned()));
        let Some(old) = self.roster.get(old_id).cloned() else {
            return;
        };
        let mut member = Member::new(new_id.clone(), join, waiter);
        member.assignment = old.assignment.clone();
        member.is_new = false;
        self.roster.replace(old_id, member);
        self.fence(&old, out);
        self.arm_session(now, &new_id);

        match self.state {
            State::Stable if self.roster.choose_protocol() == self.protocol => {
                let old = Member {
                    joining: None,
                    syncing: None,
                    ..old
                };
                let generation = self.generation;
                let what = Replacement {
                    old,
                    new_id,
                    generation,
                    waiter,
                };
                let snapshot = self.snapshot(None);
                self.persist(Persisting::Replacement(Box::new(what)), snapshot, out);
            }
            // After the join phase the leader may already assign to the old id.
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(now, out),
            _ => self.try_complete_join(now, out),
        }
    }

    pub(super) fn replacement_is_written(
        &mut self,
        now: Time,
        what: Replacement,
        result: Result<(), GroupError>,
        out: &mut Vec<Effect>,
    ) {
        let waits = |m: &&Member| m.joining == Some(what.waiter);
        let is_current = self.state == State::Stable && self.generation == what.generation;
        // Fenced by a yet newer one, or part of a rebalance that will answer it.
        if !is_current || self.roster.get(&what.new_id).filter(waits).is_none() {
            return;
        }
        let answer = match result {
            Ok(()) => {
                let leads = self.roster.is_leader(&what.new_id);
                let mut joined = self.joined(&what.new_id, leads);
                joined.skip_assignment = leads;
                if let Some(member) = self.roster.get_mut(&what.new_id) {
                    member.joining = None;
                }
                self.arm_session(now, &what.new_id);
                Ok(joined)
            }
            Err(error) => {
                let old_id = what.old.id.clone();
                self.timers.cancel(&Timer::Session(what.new_id.clone()));
                self.roster.replace(&what.new_id, what.old);
                self.arm_session(now, &old_id);
                Err(error)
            }
        };
        out.push(Effect::Joined {
            waiter: what.waiter,
            answer,
        });
    }

    fn fence(&self, old: &Member, out: &mut Vec<Effect>) {
        if let Some(waiter) = old.joining {
            out.push(Effect::Joined {
                waiter,
                answer: Err(GroupError::FencedInstance),
            });
        }
        if let Some(waiter) = old.syncing {
            out.push(Effect::Synced {
                waiter,
                answer: Err(GroupError::FencedInstance),
            });
        }
    }
}
