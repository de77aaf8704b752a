use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

use super::harness::{Harness, claim, config, leave, request, static_request};
use crate::group::{Claim, GroupConfig, GroupError, Join, State};

/// Longest rebalance timeout in these runs.
const REBALANCE_MS_MAX: i64 = 30_000;
const SESSION_MS: i64 = 6_000;

#[derive(Clone, Debug)]
enum Step {
    New {
        static_index: Option<u8>,
        two_step: bool,
        protocols: u8,
        slow: bool,
    },
    Rejoin {
        client: usize,
        protocols: u8,
    },
    Sync {
        client: usize,
        wrong_generation: bool,
    },
    Heartbeat {
        client: usize,
    },
    Leave {
        client: usize,
    },
    Written {
        ok: bool,
    },
    Pass {
        ms: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let new = (
        prop::option::weighted(0.3, 0..3u8),
        any::<bool>(),
        0..4u8,
        any::<bool>(),
    )
        .prop_map(|(static_index, two_step, protocols, slow)| Step::New {
            static_index,
            two_step,
            protocols,
            slow,
        });
    prop_oneof![
        3 => new,
        4 => (0..8usize, 0..4u8).prop_map(|(client, protocols)| Step::Rejoin { client, protocols }),
        6 => (0..8usize, prop::bool::weighted(0.1))
            .prop_map(|(client, wrong_generation)| Step::Sync { client, wrong_generation }),
        3 => (0..8usize).prop_map(|client| Step::Heartbeat { client }),
        1 => (0..8usize).prop_map(|client| Step::Leave { client }),
        4 => prop::bool::weighted(0.8).prop_map(|ok| Step::Written { ok }),
        4 => (0..8_000i64).prop_map(|ms| Step::Pass { ms }),
    ]
}

/// The clients' side: who they believe to be.
struct World {
    h: Harness,
    /// Ids that the group gave out, the latest last.
    clients: Vec<(String, Option<String>)>,
    instances: BTreeMap<u64, Option<String>>,
    /// When each unanswered request began.
    waiting: BTreeMap<u64, i64>,
    seen: BTreeSet<u64>,
    /// Leader and protocol of each generation that was given out.
    generations: BTreeMap<i32, (String, String)>,
}

fn offered(protocols: u8) -> &'static [&'static str] {
    match protocols {
        0 => &["range"],
        1 => &["range", "sticky"],
        2 => &["sticky", "range"],
        _ => &["sticky"],
    }
}

impl World {
    fn new() -> Self {
        let config = GroupConfig {
            session_timeout_ms_min: 1_000,
            ..config()
        };
        Self {
            h: Harness::with(config),
            clients: Vec::new(),
            instances: BTreeMap::new(),
            waiting: BTreeMap::new(),
            seen: BTreeSet::new(),
            generations: BTreeMap::new(),
        }
    }

    fn client(&self, index: usize) -> Option<(String, Option<String>)> {
        let back = index.checked_rem(self.clients.len())?;
        self.clients.iter().rev().nth(back).cloned()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::New {
                static_index,
                two_step,
                protocols,
                slow,
            } => {
                let instance = static_index.map(|i| format!("i{i}"));
                let mut join = request("", offered(protocols));
                join.require_known_member = two_step;
                join.instance = instance;
                join.rebalance_timeout_ms = if slow { 30_000 } else { 2_000 };
                self.join(join);
            }
            Step::Rejoin { client, protocols } => {
                if let Some((id, instance)) = self.client(client) {
                    let mut join = request(&id, offered(protocols));
                    join.instance = instance;
                    join.rebalance_timeout_ms = 10_000;
                    self.join(join);
                }
            }
            Step::Sync {
                client,
                wrong_generation,
            } => {
                if let Some((id, instance)) = self.client(client) {
                    self.sync(&id, instance, wrong_generation);
                }
            }
            Step::Heartbeat { client } => {
                if let Some((id, _)) = self.client(client) {
                    let generation = self.h.group.generation();
                    let _ = self.h.heartbeat(generation, &id);
                }
            }
            Step::Leave { client } => {
                if let Some((id, instance)) = self.client(client) {
                    self.h.leave(&[leave(&id, instance.as_deref())]);
                }
            }
            Step::Written { ok } => self.write(ok),
            Step::Pass { ms } => self.h.pass(ms),
        }
        self.look();
    }

    fn join(&mut self, mut join: Join) {
        join.session_timeout_ms = i32::try_from(SESSION_MS).expect("small");
        let instance = join.instance.clone();
        let waiter = self.h.join(join);
        self.instances.insert(waiter, instance);
        self.waiting.insert(waiter, self.h.now_ms);
    }

    fn sync(&mut self, id: &str, instance: Option<String>, wrong_generation: bool) {
        let generation = self.h.group.generation() - i32::from(wrong_generation);
        let claim = Claim {
            instance,
            ..claim(generation, id)
        };
        let members: Vec<String> = self
            .clients
            .iter()
            .map(|(id, _)| id.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let assignments: Vec<(&str, &str)> =
            members.iter().map(|m| (m.as_str(), m.as_str())).collect();
        let waiter = self.h.sync(claim, &assignments);
        self.waiting.insert(waiter, self.h.now_ms);
    }

    fn write(&mut self, ok: bool) {
        if !self.h.writes.is_empty() {
            let result = if ok {
                Ok(())
            } else {
                Err(GroupError::CoordinatorNotAvailable)
            };
            self.h.written(result);
        }
    }

    /// Notes new answers and checks what must hold of all.
    fn look(&mut self) {
        for (waiter, answer) in &self.h.joins {
            self.waiting.remove(waiter);
            if !self.seen.insert(*waiter) {
                continue;
            }
            let instance = self.instances.get(waiter).cloned().flatten();
            match answer {
                Err(GroupError::MemberIdRequired(id)) => self.clients.push((id.clone(), None)),
                Err(_) => {}
                Ok(joined) => {
                    self.clients.push((joined.member.clone(), instance));
                    assert!(joined.generation > 0);
                    let first = (joined.leader.clone(), joined.protocol.clone());
                    let known = self.generations.entry(joined.generation).or_insert(first);
                    assert_eq!(known.1, joined.protocol, "one protocol a generation");
                    if !joined.members.is_empty() {
                        assert_eq!(
                            joined.leader, joined.member,
                            "only the leader gets the list"
                        );
                        if !joined.skip_assignment {
                            assert_eq!(known.0, joined.leader, "one leader a generation");
                        }
                    }
                }
            }
        }
        let syncs: Vec<u64> = self.h.syncs.keys().copied().collect();
        for waiter in syncs {
            self.waiting.remove(&waiter);
        }
        let bound_ms = REBALANCE_MS_MAX + 3_000 + SESSION_MS;
        if self.h.writes.is_empty() {
            for (waiter, since) in &self.waiting {
                let waited_ms = self.h.now_ms - since;
                assert!(waited_ms <= bound_ms, "{waiter} has waited {waited_ms} ms");
            }
        }
        self.check_group();
    }

    fn check_group(&self) {
        let group = &self.h.group;
        let roster = &group.roster;
        assert_eq!(
            group.state() == State::Empty,
            roster.is_empty()
                && group.initial.is_none()
                && group.state() != State::PreparingRebalance
        );
        if let Some(leader) = roster.leader() {
            assert!(roster.contains(leader));
        }
        let bytes: usize = roster.iter().map(|m| m.weight()).sum();
        assert_eq!(bytes, roster.bytes());
        if matches!(group.state(), State::CompletingRebalance | State::Stable) {
            assert!(
                roster.choose_protocol().is_some(),
                "members have a protocol in common"
            );
            assert!(roster.leader().is_some());
        }
        if !roster.is_empty() || group.initial.is_some() {
            assert!(
                group.next_deadline().is_some(),
                "somebody looks after every member"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn random_lives_of_a_group_keep_its_promises(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        // Everybody falls silent: all are answered, all are gone.
        for _ in 0..40 {
            while !world.h.writes.is_empty() {
                world.write(true);
            }
            world.h.pass(5_000);
            world.look();
        }
        prop_assert!(world.waiting.is_empty(), "unanswered: {:?}", world.waiting);
        prop_assert_eq!(world.h.group.state(), State::Empty);
        prop_assert!(world.h.group.is_idle());
        prop_assert_eq!(world.h.group.next_deadline(), None);
    }

    #[test]
    fn members_that_do_their_part_always_become_stable(
        count in 1..5usize,
        statics in any::<[bool; 5]>(),
        chaos in prop::collection::vec(step(), 0..40),
    ) {
        let mut world = World::new();
        for step in &chaos {
            world.step(step);
        }
        world.h.writes.clear();
        let mut h = world.h;
        h.group.config.members_max = 100;
        let waiters: Vec<u64> = (0..count)
            .map(|i| h.join(if statics[i] {
                static_request("", &format!("own{i}"))
            } else {
                request("", &["range", "sticky"])
            }))
            .collect();
        prop_assert_eq!(waiters.len(), count);
        h.end_join_phase();
        for waiter in waiters {
            let known = h.joins.get(&waiter);
            let refused = matches!(known, Some(Err(GroupError::InconsistentProtocol)));
            prop_assert!(refused || matches!(known, Some(Ok(_))), "{known:?}");
        }
    }
}
