//! A fetcher's side of its session with a leader: which partitions, and what the leader does not
//! know yet.

use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;
use weir_types::{LeaderEpoch, PartitionId};

use super::super::commands::{AfterFetch, FetchPosition};
use super::super::wire::Change;

const PAUSE_FIRST: Duration = Duration::from_millis(20);
/// Short: the leader may be one already and not know it yet, and writes wait for those in sync.
const PAUSE_MAX: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Session {
    targets: HashMap<PartitionId, Target>,
    changed: HashSet<PartitionId>,
    removed: HashSet<PartitionId>,
    /// Asked again after a pause.
    later: HashMap<PartitionId, Instant>,
    /// Those of them that pause because too much came too fast.
    held: HashSet<PartitionId>,
}

struct Target {
    position: FetchPosition,
    /// Grows with every refusal in a row.
    pause: Duration,
}

impl Session {
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.removed.is_empty()
    }

    pub(super) fn set(&mut self, id: PartitionId, to: Option<FetchPosition>) {
        self.later.remove(&id);
        self.held.remove(&id);
        match to {
            Some(position) => {
                self.targets.insert(
                    id,
                    Target {
                        position,
                        pause: PAUSE_FIRST,
                    },
                );
                self.changed.insert(id);
                self.removed.remove(&id);
            }
            None => {
                if self.targets.remove(&id).is_some() {
                    self.changed.remove(&id);
                    self.removed.insert(id);
                }
            }
        }
    }

    /// The leader knows nothing: everything is to be said.
    pub(super) fn restart(&mut self) {
        self.removed.clear();
        self.later.clear();
        self.held.clear();
        self.changed = self.targets.keys().copied().collect();
    }

    /// What has changed since the last request.
    pub(super) fn take_changes(&mut self, now: Instant) -> (Vec<Change>, Vec<PartitionId>) {
        let due: Vec<_> = self
            .later
            .extract_if(|_, at| *at <= now)
            .map(|(id, _)| id)
            .collect();
        self.held.retain(|id| !due.contains(id));
        self.changed.extend(due);
        let targets = &self.targets;
        let change = |id: PartitionId| {
            let position = targets.get(&id)?.position;
            Some(Change {
                partition: id,
                leader_epoch: position.epoch,
                offset: position.offset,
                last_epoch: position.last_epoch,
                log_start: position.log_start,
            })
        };
        let changes = self.changed.drain().filter_map(change).collect();
        (changes, self.removed.drain().collect())
    }

    /// When a pause ends.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.later.values().min().copied()
    }

    /// What changed in this partition is not said before `until`.
    pub(super) fn hold(&mut self, id: PartitionId, until: Instant) {
        if self.changed.remove(&id) {
            self.held.insert(id);
            self.later.insert(id, until);
        }
    }

    /// Whether some partition is held no longer than to `now`.
    pub(super) fn is_release_due(&self, now: Instant) -> bool {
        let due = |id| self.later.get(id).is_some_and(|at| *at <= now);
        self.held.iter().any(due)
    }

    /// Those that are held and still count are held longer.
    pub(super) fn hold_on(&mut self, until: Instant, counts: impl Fn(PartitionId) -> bool) {
        for id in self.held.iter().filter(|id| counts(**id)) {
            self.later.insert(*id, until);
        }
    }

    /// The leader refused this partition under `epoch`.
    pub(super) fn refused(&mut self, id: PartitionId, epoch: LeaderEpoch, now: Instant) {
        if let Some(target) = self
            .targets
            .get_mut(&id)
            .filter(|t| t.position.epoch == epoch)
        {
            self.later.insert(id, now + target.pause);
            target.pause = (target.pause * 2).min(PAUSE_MAX);
        }
    }

    /// The shard has taken what was fetched under `epoch`.
    pub(super) fn applied(
        &mut self,
        id: PartitionId,
        epoch: LeaderEpoch,
        after: AfterFetch,
        now: Instant,
    ) {
        let Some(target) = self
            .targets
            .get_mut(&id)
            .filter(|t| t.position.epoch == epoch)
        else {
            return;
        };
        match after {
            AfterFetch::Same => target.pause = PAUSE_FIRST,
            AfterFetch::From(position) => {
                *target = Target {
                    position,
                    pause: PAUSE_FIRST,
                };
                self.changed.insert(id);
            }
            AfterFetch::Later(position) => {
                target.position = position;
                self.refused(id, epoch, now);
            }
            AfterFetch::Again => self.refused(id, epoch, now),
            AfterFetch::Drop => {
                self.targets.remove(&id);
                self.removed.insert(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::Offset;

    fn id(index: i32) -> PartitionId {
        PartitionId {
            index,
            ..PartitionId::default()
        }
    }

    fn at(epoch: i32, offset: i64) -> FetchPosition {
        FetchPosition {
            epoch: LeaderEpoch(epoch),
            offset: Offset(offset),
            last_epoch: LeaderEpoch::NONE,
            log_start: Offset(0),
        }
    }

    fn changed(session: &mut Session, now: Instant) -> Vec<(i32, i64)> {
        let (changes, _) = session.take_changes(now);
        let mut changes: Vec<_> = changes
            .iter()
            .map(|c| (c.partition.index, c.offset.0))
            .collect();
        changes.sort_unstable();
        changes
    }

    #[test]
    fn a_request_carries_only_what_changed() {
        let (mut session, now) = (Session::default(), Instant::now());
        session.set(id(1), Some(at(1, 10)));
        session.set(id(2), Some(at(1, 20)));
        assert_eq!(changed(&mut session, now), [(1, 10), (2, 20)]);
        assert_eq!(changed(&mut session, now), []);
        session.applied(id(2), LeaderEpoch(1), AfterFetch::From(at(1, 25)), now);
        session.applied(id(1), LeaderEpoch(1), AfterFetch::Same, now);
        assert_eq!(changed(&mut session, now), [(2, 25)]);
        session.restart();
        assert_eq!(changed(&mut session, now), [(1, 10), (2, 25)]);
    }

    #[test]
    fn an_answer_of_an_earlier_epoch_changes_nothing() {
        let (mut session, now) = (Session::default(), Instant::now());
        session.set(id(1), Some(at(2, 10)));
        assert_eq!(changed(&mut session, now), [(1, 10)]);
        session.applied(id(1), LeaderEpoch(1), AfterFetch::Drop, now);
        session.refused(id(1), LeaderEpoch(1), now);
        assert!(!session.is_empty());
        assert_eq!(session.next_due(), None);
    }

    #[test]
    fn a_held_partition_says_nothing_before_its_time() {
        let (mut session, now) = (Session::default(), Instant::now());
        session.set(id(1), Some(at(1, 10)));
        changed(&mut session, now);
        session.applied(id(1), LeaderEpoch(1), AfterFetch::From(at(1, 15)), now);
        let until = now + PAUSE_MAX;
        session.hold(id(1), until);
        assert_eq!(changed(&mut session, now), []);
        assert!(!session.is_release_due(now) && session.is_release_due(until));
        session.hold_on(until + PAUSE_MAX, |held| held == id(1));
        assert_eq!(changed(&mut session, until), []);
        assert_eq!(changed(&mut session, until + PAUSE_MAX), [(1, 15)]);
        session.hold(id(1), until);
        assert_eq!(session.next_due(), None, "it has nothing to say");
    }

    #[test]
    fn what_has_come_to_be_in_sync_is_held_no_longer() {
        let (mut session, now) = (Session::default(), Instant::now());
        let until = now + PAUSE_MAX;
        for index in [1, 2] {
            session.set(id(index), Some(at(1, 10)));
            session.hold(id(index), until);
        }
        session.hold_on(until + PAUSE_MAX, |held| held == id(2));
        assert_eq!(changed(&mut session, until), [(1, 10)]);
        assert_eq!(changed(&mut session, until + PAUSE_MAX), [(2, 10)]);
    }

    #[test]
    fn a_refused_partition_is_asked_again_after_a_growing_pause() {
        let (mut session, now) = (Session::default(), Instant::now());
        session.set(id(1), Some(at(1, 10)));
        changed(&mut session, now);
        session.refused(id(1), LeaderEpoch(1), now);
        assert_eq!(changed(&mut session, now), []);
        let due = session.next_due().expect("a pause");
        assert_eq!(changed(&mut session, due), [(1, 10)]);
        session.refused(id(1), LeaderEpoch(1), due);
        assert_eq!(session.next_due(), Some(due + 2 * PAUSE_FIRST));
    }
}
