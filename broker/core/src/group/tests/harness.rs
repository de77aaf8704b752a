use bytes::Bytes;
use std::collections::BTreeMap;
use weir_types::Millis;

use crate::group::{
    Claim, Effect, Group, GroupConfig, GroupError, Join, Joined, Leave, PersistId, Snapshot, State,
    Sync, Synced, Time, Waiter,
};

pub type JoinAnswer = Result<Joined, GroupError>;
pub type SyncAnswer = Result<Synced, GroupError>;

/// A group, a clock, and everything it was told to do.
pub struct Harness {
    pub group: Group,
    pub now_ms: i64,
    pub joins: BTreeMap<u64, JoinAnswer>,
    pub syncs: BTreeMap<u64, SyncAnswer>,
    pub writes: Vec<(PersistId, Snapshot)>,
    next: u64,
}

pub fn config() -> GroupConfig {
    GroupConfig {
        initial_rebalance_delay_ms: 3_000,
        members_max: 5,
        ..GroupConfig::default()
    }
}

pub fn request(member: &str, protocols: &[&str]) -> Join {
    Join {
        member: member.to_owned(),
        instance: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: protocols
            .iter()
            .map(|p| ((*p).to_owned(), Bytes::from_static(b"meta")))
            .collect(),
        require_known_member: false,
        unique: String::new(),
    }
}

pub fn static_request(member: &str, instance: &str) -> Join {
    Join {
        instance: Some(instance.to_owned()),
        ..request(member, &["range"])
    }
}

pub fn claim(generation: i32, member: &str) -> Claim {
    Claim {
        generation,
        member: member.to_owned(),
        instance: None,
    }
}

pub fn leave(member: &str, instance: Option<&str>) -> Leave {
    Leave {
        member: member.to_owned(),
        instance: instance.map(str::to_owned),
    }
}

impl Harness {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: GroupConfig) -> Self {
        Self::of(Group::new(config, Time::default()))
    }

    pub fn of(group: Group) -> Self {
        Self {
            group,
            now_ms: 0,
            joins: BTreeMap::new(),
            syncs: BTreeMap::new(),
            writes: Vec::new(),
            next: 0,
        }
    }

    pub fn time(&self) -> Time {
        Time {
            steady: Millis(self.now_ms),
            unix: Millis(1_000_000 + self.now_ms),
        }
    }

    /// Gives back the waiter's number.
    pub fn join(&mut self, mut join: Join) -> u64 {
        let waiter = self.waiter();
        join.unique = waiter.to_string();
        let mut out = Vec::new();
        self.group.join(self.time(), Waiter(waiter), join, &mut out);
        self.take(out);
        waiter
    }

    pub fn sync(&mut self, claim: Claim, assignments: &[(&str, &str)]) -> u64 {
        let assignments = assignments
            .iter()
            .map(|(m, a)| ((*m).to_owned(), Bytes::copy_from_slice(a.as_bytes())))
            .collect();
        self.sync_with(Sync {
            claim,
            protocol_type: None,
            protocol: None,
            assignments,
        })
    }

    pub fn sync_with(&mut self, sync: Sync) -> u64 {
        let waiter = self.waiter();
        let mut out = Vec::new();
        self.group.sync(Waiter(waiter), sync, &mut out);
        self.take(out);
        waiter
    }

    pub fn leave(&mut self, members: &[Leave]) -> Vec<Result<(), GroupError>> {
        let mut out = Vec::new();
        let answer = self.group.leave(self.time(), members, &mut out);
        self.take(out);
        answer.expect("the group is not dead")
    }

    pub fn heartbeat(&mut self, generation: i32, member: &str) -> Result<(), GroupError> {
        let now = self.time();
        self.group.heartbeat(now, &claim(generation, member))
    }

    /// Lets the time pass, with every timer on its way.
    pub fn pass(&mut self, ms: i64) {
        let end = self.now_ms + ms;
        while let Some(at) = self.group.next_deadline().filter(|at| at.0 <= end) {
            self.now_ms = self.now_ms.max(at.0);
            self.tick();
        }
        self.now_ms = end;
        self.tick();
    }

    /// Lets the time pass until the initial delay is over.
    pub fn end_join_phase(&mut self) {
        while self.group.state() == State::PreparingRebalance {
            self.pass(500);
        }
    }

    pub fn tick(&mut self) {
        let mut out = Vec::new();
        self.group.tick(self.time(), &mut out);
        self.take(out);
    }

    /// Answers the oldest write.
    pub fn written(&mut self, result: Result<(), GroupError>) -> Snapshot {
        let (id, snapshot) = self.writes.remove(0);
        let mut out = Vec::new();
        self.group.persisted(self.time(), id, result, &mut out);
        self.take(out);
        snapshot
    }

    pub fn joined(&self, waiter: u64) -> Joined {
        self.joins
            .get(&waiter)
            .expect("answered")
            .clone()
            .expect("joined")
    }

    pub fn join_error(&self, waiter: u64) -> GroupError {
        self.joins
            .get(&waiter)
            .expect("answered")
            .clone()
            .expect_err("refused")
    }

    pub fn synced(&self, waiter: u64) -> Bytes {
        self.syncs
            .get(&waiter)
            .expect("answered")
            .clone()
            .expect("synced")
            .assignment
    }

    pub fn sync_error(&self, waiter: u64) -> GroupError {
        self.syncs
            .get(&waiter)
            .expect("answered")
            .clone()
            .expect_err("refused")
    }

    /// A stable group of `count` dynamic members; their ids, the leader's first.
    pub fn stable(&mut self, count: usize) -> Vec<String> {
        let waiters: Vec<u64> = (0..count)
            .map(|_| self.join(request("", &["range", "sticky"])))
            .collect();
        self.end_join_phase();
        let ids = waiters.iter().map(|w| self.joined(*w).member).collect();
        self.settle(ids)
    }

    /// Syncs all and has the assignment written.
    pub fn settle(&mut self, mut ids: Vec<String>) -> Vec<String> {
        let generation = self.group.generation();
        let leads = |h: &Self, id: &str| h.group.roster.is_leader(id);
        ids.sort_by_key(|id| !leads(self, id));
        for id in &ids {
            let assignments: Vec<(&str, &str)> =
                ids.iter().map(|m| (m.as_str(), m.as_str())).collect();
            let assignments = if leads(self, id) { assignments } else { vec![] };
            self.sync(claim(generation, id), &assignments);
        }
        self.written(Ok(()));
        assert_eq!(self.group.state(), State::Stable);
        ids
    }

    fn waiter(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn take(&mut self, out: Vec<Effect>) {
        for effect in out {
            match effect {
                Effect::Joined { waiter, answer } => {
                    let before = self.joins.insert(waiter.0, answer);
                    assert!(before.is_none(), "join {waiter:?} was answered twice");
                }
                Effect::Synced { waiter, answer } => {
                    let before = self.syncs.insert(waiter.0, answer);
                    assert!(before.is_none(), "sync {waiter:?} was answered twice");
                }
                Effect::Persist { id, snapshot } => self.writes.push((id, snapshot)),
            }
        }
    }
}
