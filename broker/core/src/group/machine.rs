use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use weir_types::Millis;

use super::{
    Effect, GroupConfig, GroupError, PersistId, Snapshot, State, Time,
    member::Member,
    rebalance::InitialDelay,
    roster::Roster,
    static_member::Replacement,
    subscription,
    sync::Assignment,
    timers::{Timer, Timers},
};

/// Protocol type of consumers, whose metadata the coordinator can read.
const CONSUMER: &str = "consumer";

/// One consumer group.
///
/// **Invariant:** every member that does not wait for an answer has a session timer armed, and
/// whoever waits for a join or sync is answered when the phase's timer fires at the latest.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) config: GroupConfig,
    pub(super) state: State,
    /// Unix time; unknown in records of old versions.
    pub(super) state_since: Option<Millis>,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    /// Topics that the members of this generation name, where that is known.
    pub(super) subscribed: Option<BTreeSet<String>>,
    pub(super) roster: Roster,
    pub(super) timers: Timers,
    /// Set while the first join of an empty group waits for more.
    pub(super) initial: Option<InitialDelay>,
    persisting: BTreeMap<PersistId, Persisting>,
    next_persist: u64,
}

/// What a write was for.
#[derive(Clone, Debug)]
pub(super) enum Persisting {
    Emptied,
    Assignment(Assignment),
    Replacement(Box<Replacement>),
}

/// A member as it is shown to the curious.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    pub member: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    /// Empty unless the group is stable.
    pub metadata: Bytes,
    /// Empty unless the group is stable.
    pub assignment: Bytes,
}

impl Group {
    /// A group that nobody has written anything about yet.
    /// Takes settings that were changed while the group lives; timers that run keep their time.
    pub const fn configure(&mut self, config: GroupConfig) {
        self.config = config;
    }

    pub fn new(config: GroupConfig, now: Time) -> Self {
        Self {
            config,
            state: State::Empty,
            state_since: Some(now.unix),
            generation: 0,
            protocol_type: None,
            protocol: None,
            subscribed: None,
            roster: Roster::default(),
            timers: Timers::default(),
            initial: None,
            persisting: BTreeMap::new(),
            next_persist: 0,
        }
    }

    /// As it was last written; sessions of its members begin anew in [`Self::resume`].
    pub fn load(config: GroupConfig, snapshot: Snapshot) -> Self {
        let now = Time::default();
        let mut group = Self::new(config, now);
        let protocol = snapshot.protocol.clone().unwrap_or_default();
        for saved in snapshot.members {
            group.roster.add(Member::load(saved, &protocol));
        }
        let leader = snapshot.leader.filter(|id| group.roster.contains(id));
        if leader.is_some() {
            group.roster.set_leader(leader);
        }
        group.state = if group.roster.is_empty() {
            State::Empty
        } else {
            State::Stable
        };
        group.state_since = snapshot.state_since;
        group.generation = snapshot.generation;
        group.protocol_type = Some(snapshot.protocol_type).filter(|t| !t.is_empty());
        group.protocol = snapshot.protocol;
        group.subscribed = group.find_subscribed();
        group
    }

    /// Begins to coordinate a loaded group.
    pub fn resume(&mut self, now: Time, out: &mut Vec<Effect>) {
        for id in self.roster.ids() {
            self.arm_session(now, &id);
        }
        if self.roster.len() > self.config.members_max {
            self.prepare_rebalance(now, out);
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// Empty: offsets are committed by hand, no member has ever joined.
    pub fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    /// The protocol in force; empty unless the group is stable.
    pub fn protocol(&self) -> &str {
        match self.state {
            State::Stable => self.protocol.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    pub fn member_count(&self) -> usize {
        self.roster.len()
    }

    /// In order of member id.
    pub fn members(&self) -> Vec<MemberView> {
        let stable = self.state == State::Stable;
        let view = |m: &Member| MemberView {
            member: m.id.clone(),
            instance: m.instance.clone(),
            client_id: m.client_id.clone(),
            client_host: m.client_host.clone(),
            metadata: if stable {
                m.metadata(self.protocol())
            } else {
                Bytes::new()
            },
            assignment: if stable {
                m.assignment.clone()
            } else {
                Bytes::new()
            },
        };
        self.roster.iter().map(view).collect()
    }

    /// Nobody is here, nobody is expected, and no write is under way.
    pub fn is_idle(&self) -> bool {
        self.state == State::Empty
            && self.roster.pending_join_count() == 0
            && self.persisting.is_empty()
    }

    /// When [`Self::tick`] has something to do, on the steady clock.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers.next()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Effect>) {
        while let Some(timer) = self.timers.pop_due(now.steady) {
            match timer {
                Timer::Join => self.join_phase_is_over(now, out),
                Timer::Sync => self.sync_phase_is_over(now, out),
                Timer::Session(id) => self.session_is_over(now, &id, out),
            }
        }
    }

    /// A write that [`Effect::Persist`] asked for is done, or failed (its effect may be unknown).
    pub fn persisted(
        &mut self,
        now: Time,
        id: PersistId,
        result: Result<(), GroupError>,
        out: &mut Vec<Effect>,
    ) {
        match self.persisting.remove(&id) {
            // An empty generation that could not be written: the one before comes back if the
            // coordinator moves now, and its members time out.
            None | Some(Persisting::Emptied) => {}
            Some(Persisting::Assignment(a)) => self.assignment_is_written(now, a, result, out),
            Some(Persisting::Replacement(r)) => self.replacement_is_written(now, *r, result, out),
        }
    }

    /// Stops coordinating: everybody who waits is told `error`.
    pub fn abandon(&mut self, error: &GroupError, out: &mut Vec<Effect>) {
        for member in self.roster.iter_mut() {
            if let Some(waiter) = member.joining.take() {
                out.push(Effect::Joined {
                    waiter,
                    answer: Err(error.clone()),
                });
            }
            if let Some(waiter) = member.syncing.take() {
                out.push(Effect::Synced {
                    waiter,
                    answer: Err(error.clone()),
                });
            }
        }
        self.state = State::Dead;
        self.timers.clear();
        self.persisting.clear();
    }

    pub(super) fn persist(&mut self, what: Persisting, snapshot: Snapshot, out: &mut Vec<Effect>) {
        let id = PersistId(self.next_persist);
        self.next_persist += 1;
        self.persisting.insert(id, what);
        out.push(Effect::Persist { id, snapshot });
    }

    /// Whether this generation's assignment is being written.
    pub(super) fn is_assigning(&self) -> bool {
        self.persisting
            .values()
            .any(|p| matches!(p, Persisting::Assignment(a) if a.generation == self.generation))
    }

    /// The group as a record, with these assignments in the place of those in force.
    pub(super) fn snapshot(&self, assignments: Option<&BTreeMap<String, Bytes>>) -> Snapshot {
        let assignment = |m: &Member| match assignments {
            Some(new) => new.get(&m.id).cloned().unwrap_or_default(),
            None => m.assignment.clone(),
        };
        let protocol = self.protocol.as_deref();
        Snapshot {
            protocol_type: self.protocol_type().to_owned(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.roster.leader().map(str::to_owned),
            state_since: self.state_since,
            members: self
                .roster
                .iter()
                .map(|m| m.save(protocol, assignment(m)))
                .collect(),
        }
    }

    pub(super) fn enter(&mut self, now: Time, state: State) {
        self.state = state;
        self.state_since = Some(now.unix);
    }

    pub(super) fn arm_session(&mut self, now: Time, id: &str) {
        if let Some(member) = self.roster.get(id) {
            let delay_ms = i64::from(member.session_timeout_ms);
            self.timers
                .arm(now.steady, delay_ms, Timer::Session(id.to_owned()));
        }
    }

    /// Takes a member out, with its timer; whoever waits in its name is told that it is unknown.
    pub(super) fn forget(&mut self, id: &str, out: &mut Vec<Effect>) {
        self.timers.cancel(&Timer::Session(id.to_owned()));
        let Some(member) = self.roster.remove(id) else {
            return;
        };
        if let Some(waiter) = member.joining {
            out.push(Effect::Joined {
                waiter,
                answer: Err(GroupError::UnknownMember),
            });
        }
        if let Some(waiter) = member.syncing {
            out.push(Effect::Synced {
                waiter,
                answer: Err(GroupError::UnknownMember),
            });
        }
    }

    pub(super) fn is_consumer(&self) -> bool {
        self.protocol_type() == CONSUMER
    }

    pub(super) fn find_subscribed(&self) -> Option<BTreeSet<String>> {
        if !self.is_consumer() {
            return None;
        }
        let mut topics = BTreeSet::new();
        if self.roster.is_empty() {
            return Some(topics);
        }
        let protocol = self.protocol.as_deref()?;
        for member in self.roster.iter() {
            subscription::read_topics(&member.metadata(protocol), &mut topics)?;
        }
        Some(topics)
    }

    /// A member's session ended, unless it waits: then the coordinator is what it waits for.
    fn session_is_over(&mut self, now: Time, id: &str, out: &mut Vec<Effect>) {
        let Some(member) = self.roster.get(id) else {
            self.forget(id, out);
            self.try_complete_join(now, out);
            return;
        };
        let waits = member.joining.is_some() || member.syncing.is_some();
        if waits && !member.is_new {
            self.arm_session(now, id);
            return;
        }
        self.forget(id, out);
        self.rebalance_without(now, out);
    }
}
