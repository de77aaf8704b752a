use super::{Claim, Committed, Group, GroupError, OffsetKey, Offsets, State, Time};

impl Group {
    /// Whether offsets may be committed in the name of this member; it keeps the session.
    pub fn check_commit(&mut self, now: Time, claim: &Claim) -> Result<(), GroupError> {
        if self.state == State::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        // From an administrator, or a consumer that assigns its partitions by hand.
        if claim.generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        self.roster
            .check(&claim.member, claim.instance.as_deref())?;
        if claim.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        if self.state == State::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        self.arm_session(now, &claim.member);
        Ok(())
    }

    /// Whether committed offsets of `topic` may be deleted.
    pub fn check_delete_offset(&self, topic: &str) -> Result<(), GroupError> {
        match self.state {
            State::Dead => return Err(GroupError::NotFound),
            State::Empty => {}
            _ if !self.is_consumer() => return Err(GroupError::NotEmpty),
            _ => {}
        }
        let subscribed = match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_consumer(),
        };
        if subscribed {
            Err(GroupError::SubscribedToTopic)
        } else {
            Ok(())
        }
    }

    /// Begins to delete the group: nothing is accepted any more.
    pub fn begin_delete(&mut self) -> Result<(), GroupError> {
        match self.state {
            State::Empty => {
                self.state = State::Dead;
                Ok(())
            }
            State::Dead => Err(GroupError::NotFound),
            _ => Err(GroupError::NotEmpty),
        }
    }

    /// The deletion could not be written: the group lives on.
    pub fn delete_failed(&mut self) {
        self.state = State::Empty;
    }

    /// Offsets that nobody has needed for the retention time: of an empty group since it became
    /// so, of a group without members' protocol since the commit, of a stable group of consumers
    /// those of topics that it does not read any more (KIP-211).
    pub fn expired_offsets(&self, now: Time, offsets: &Offsets) -> Vec<OffsetKey> {
        let base = |committed: &Committed| match (&self.protocol_type, self.state) {
            (None, State::Empty) => Some(committed.committed_at),
            (Some(_), State::Empty) => Some(self.state_since.unwrap_or(committed.committed_at)),
            (Some(_), State::Stable) => self.subscribed.as_ref().map(|_| committed.committed_at),
            _ => None,
        };
        let in_use = |topic: &str| {
            self.state != State::Empty
                && self
                    .subscribed
                    .as_ref()
                    .is_none_or(|topics| topics.contains(topic))
        };
        let is_expired = |committed: &Committed| match (committed.expires_at, base(committed)) {
            (_, None) => false,
            (Some(at), Some(_)) => now.unix >= at,
            (None, Some(since)) => now.unix.since(since) >= self.config.offsets_retention_ms,
        };
        offsets
            .iter()
            .filter(|(key, committed)| is_expired(committed) && !in_use(&key.topic))
            .filter(|(key, _)| !offsets.is_pending(key))
            .map(|(key, _)| key.clone())
            .collect()
    }
}
