use super::{Claim, Effect, Group, GroupError, Leave, State, Time};

impl Group {
    /// Heartbeat: keeps the session, and tells the member whether it must rejoin.
    pub fn heartbeat(&mut self, now: Time, claim: &Claim) -> Result<(), GroupError> {
        if self.state == State::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        self.roster
            .check(&claim.member, claim.instance.as_deref())?;
        if claim.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        self.arm_session(now, &claim.member);
        match self.state {
            State::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// LeaveGroup, of several members at once (KIP-345), each with its own outcome.
    pub fn leave(
        &mut self,
        now: Time,
        members: &[Leave],
        out: &mut Vec<Effect>,
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        if self.state == State::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let answers: Vec<_> = members.iter().map(|m| self.leave_one(m, out)).collect();
        if answers.iter().any(Result::is_ok) {
            self.rebalance_without(now, out);
        }
        Ok(answers)
    }

    fn leave_one(&mut self, leave: &Leave, out: &mut Vec<Effect>) -> Result<(), GroupError> {
        let instance = leave.instance.as_deref();
        let id = if leave.member.is_empty() {
            // An administrator removes whoever has the instance id.
            let holder = instance.and_then(|i| self.roster.instance(i));
            holder.ok_or(GroupError::UnknownMember)?.to_owned()
        } else {
            leave.member.clone()
        };
        if !self.roster.is_pending_join(&id) {
            self.roster.check(&id, instance)?;
        }
        self.forget(&id, out);
        Ok(())
    }
}
