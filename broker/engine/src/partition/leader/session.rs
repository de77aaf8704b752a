//! A leader's side of a session: where the follower stands, and who has something for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use weir_types::{LeaderEpoch, Offset, PartitionId};

use super::super::shared::{Moved, Shared};
use super::super::wire::{Change, SessionKey};
use super::Verdict;

pub(crate) struct Session {
    pub(super) key: SessionKey,
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Default)]
struct State {
    members: HashMap<PartitionId, Member>,
    queues: Queues,
    poked: bool,
}

#[derive(Default)]
struct Queues {
    /// With records, or something wrong to tell.
    urgent: VecDeque<PartitionId>,
    /// With a new high watermark or log start only.
    lazy: Vec<PartitionId>,
    lazy_since: Option<Instant>,
}

struct Member {
    shared: Option<Arc<Shared>>,
    epoch: LeaderEpoch,
    /// Where the follower goes on, or will once it has what it was sent.
    offset: Offset,
    verdict: Verdict,
    /// It was told something after which it says where it goes on; until then it is left alone.
    answered: bool,
    queued: Queued,
    told_high_watermark: Offset,
    told_start: Offset,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Queued {
    No,
    Lazy,
    Urgent,
}

/// A partition that may have something to tell.
pub(super) struct Ready {
    pub(super) id: PartitionId,
    pub(super) shared: Option<Arc<Shared>>,
    pub(super) epoch: LeaderEpoch,
    pub(super) offset: Offset,
    pub(super) verdict: Verdict,
    pub(super) told_high_watermark: Offset,
    pub(super) told_start: Offset,
}

/// What it was told.
pub(super) enum Told {
    Nothing,
    /// High watermark and log start.
    Marks(Offset, Offset),
    /// And records up to this offset.
    Records {
        next: Offset,
        high_watermark: Offset,
        log_start: Offset,
    },
    /// It must speak next.
    Problem,
    /// There was no room for its records: first in the next answer.
    NoRoom,
}

impl Session {
    pub(super) fn new(key: SessionKey) -> Self {
        Self {
            key,
            state: Mutex::default(),
            ready: Notify::new(),
        }
    }

    /// By shards: something moved in a partition.
    pub(in super::super) fn mark(&self, id: PartitionId, moved: Moved) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let Some(member) = state.members.get_mut(&id) else {
            return;
        };
        let wanted = match moved {
            Moved::Records => Queued::Urgent,
            Moved::Marks => Queued::Lazy,
        };
        if !member.answered && state.queues.enter(member, id, wanted) {
            drop(guard);
            self.ready.notify_one();
        }
    }

    pub(super) fn poke(&self) {
        self.lock().poked = true;
        self.ready.notify_one();
    }

    /// Whether the follower goes on from where it was sent: then nothing has to be compared.
    pub(super) fn is_expected(&self, change: &Change) -> bool {
        self.lock().members.get(&change.partition).is_some_and(|m| {
            m.verdict == Verdict::Serve
                && m.epoch == change.leader_epoch
                && m.offset == change.offset
        })
    }

    pub(super) fn change(&self, change: &Change, verdict: Verdict, shared: Option<Arc<Shared>>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let id = change.partition;
        let known = state
            .members
            .get(&id)
            .filter(|m| m.epoch == change.leader_epoch);
        let told = known.map_or((Offset(-1), Offset(-1)), |m| {
            (m.told_high_watermark, m.told_start)
        });
        let queued = state.members.get(&id).map_or(Queued::No, |m| m.queued);
        let mut member = Member {
            shared,
            epoch: change.leader_epoch,
            offset: change.offset,
            verdict,
            answered: false,
            queued,
            told_high_watermark: told.0,
            told_start: told.1,
        };
        if let Some(wanted) = member.has_news() {
            state.queues.enter(&mut member, id, wanted);
        }
        state.members.insert(id, member);
    }

    pub(super) fn remove(&self, id: PartitionId) {
        self.lock().members.remove(&id);
    }

    /// Those with something to tell, once it is worth an answer; until then, when to look again.
    pub(super) fn take_ready(&self, delay: Duration) -> Result<Vec<Ready>, Option<Instant>> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let queues = &mut state.queues;
        let lazy_due = queues.lazy_since.map(|since| since + delay);
        let due = lazy_due.is_some_and(|at| at <= Instant::now());
        if queues.urgent.is_empty() && !state.poked && !due {
            return Err(lazy_due);
        }
        state.poked = false;
        queues.lazy_since = None;
        let ids = queues.urgent.drain(..).chain(queues.lazy.drain(..));
        let mut ready = Vec::with_capacity(ids.size_hint().0);
        for id in ids {
            let Some(member) = state.members.get_mut(&id) else {
                continue;
            };
            // Twice in line, or told meanwhile.
            let queued = std::mem::replace(&mut member.queued, Queued::No);
            if queued == Queued::No || member.answered {
                continue;
            }
            ready.push(Ready {
                id,
                shared: member.shared.clone(),
                epoch: member.epoch,
                offset: member.offset,
                verdict: member.verdict,
                told_high_watermark: member.told_high_watermark,
                told_start: member.told_start,
            });
        }
        Ok(ready)
    }

    /// Notes what was told of `ready`.
    pub(super) fn told(&self, told: Vec<(Ready, Told)>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        // From the back, so that those without room keep their order at the front.
        for (ready, told) in told.into_iter().rev() {
            let Some(member) = state.members.get_mut(&ready.id) else {
                continue;
            };
            if member.epoch != ready.epoch {
                continue;
            }
            match told {
                Told::Nothing => {}
                Told::Marks(high_watermark, log_start) => {
                    member.told_high_watermark = high_watermark;
                    member.told_start = log_start;
                }
                Told::Records {
                    next,
                    high_watermark,
                    log_start,
                } => {
                    member.offset = next;
                    member.told_high_watermark = high_watermark;
                    member.told_start = log_start;
                    member.answered = true;
                }
                Told::Problem => member.answered = true,
                Told::NoRoom => {
                    member.queued = Queued::Urgent;
                    state.queues.urgent.push_front(ready.id);
                }
            }
        }
    }

    /// Resolves when there may be something to tell.
    pub(super) async fn wait(&self) {
        self.ready.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    fn has_news(&self) -> Option<Queued> {
        let Some(shared) = &self.shared else {
            return Some(Queued::Urgent);
        };
        let first = self.told_high_watermark == Offset(-1);
        if first || self.verdict != Verdict::Serve || shared.end() > self.offset {
            return Some(Queued::Urgent);
        }
        let news = shared.high_watermark() != self.told_high_watermark
            || shared.start() != self.told_start;
        news.then_some(Queued::Lazy)
    }
}

impl Queues {
    /// Whether anything changed by it.
    fn enter(&mut self, member: &mut Member, id: PartitionId, wanted: Queued) -> bool {
        match (wanted, member.queued) {
            (Queued::Urgent, Queued::No | Queued::Lazy) => {
                member.queued = Queued::Urgent;
                self.urgent.push_back(id);
                true
            }
            (Queued::Lazy, Queued::No) => {
                member.queued = Queued::Lazy;
                self.lazy.push(id);
                self.lazy_since.get_or_insert_with(Instant::now);
                true
            }
            _ => false,
        }
    }
}
