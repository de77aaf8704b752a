use std::collections::VecDeque;
use tracing::warn;
use weir_api::{Error, JoinedGroup, Result, SyncedGroup};
use weir_core::group::{Claim, Effect, Group, GroupError, Join, Leave, PersistId, Snapshot, Sync};

use super::{
    Coordinator, Reply,
    entry::Entry,
    writer::{Done, Write},
};
use crate::group::{convert, format, log::LogRecord};

impl Coordinator {
    pub(super) fn join(&mut self, id: &str, join: Join, reply: Reply<JoinedGroup>) {
        let now = self.now();
        if !self.groups.contains_key(id) {
            if !join.member.is_empty() {
                let _ = reply.send(Err(Error::UnknownMember));
                return;
            }
            if self.groups.len() >= self.config.groups_max {
                let _ = reply.send(Err(Error::Busy("too many groups".to_owned())));
                return;
            }
            let group = Group::new(self.settings(), now);
            self.groups.insert(id.to_owned(), Entry::new(group));
        }
        let waiter = self.waiter();
        self.joins.insert(waiter, reply);
        let mut out = Vec::new();
        let settings = self.settings();
        if let Some(entry) = self.groups.get_mut(id) {
            entry.group.configure(settings);
            entry.group.join(now, waiter, join, &mut out);
        }
        self.carry_out(id, out);
    }

    pub(super) fn sync(&mut self, id: &str, sync: Sync, reply: Reply<SyncedGroup>) {
        let waiter = self.waiter();
        let Some(entry) = self.groups.get_mut(id) else {
            let _ = reply.send(Err(Error::UnknownMember));
            return;
        };
        self.syncs.insert(waiter, reply);
        let mut out = Vec::new();
        entry.group.sync(waiter, sync, &mut out);
        self.carry_out(id, out);
    }

    pub(super) fn heartbeat(&mut self, id: &str, claim: &Claim) -> Result<()> {
        let now = self.now();
        let entry = self.groups.get_mut(id).ok_or(Error::UnknownMember)?;
        let answer = entry.group.heartbeat(now, claim).map_err(convert::error);
        self.settle(id);
        answer
    }

    pub(super) fn leave(&mut self, id: &str, members: &[Leave]) -> Result<Vec<Result<()>>> {
        let now = self.now();
        let entry = self.groups.get_mut(id).ok_or(Error::UnknownMember)?;
        let mut out = Vec::new();
        let answer = entry.group.leave(now, members, &mut out);
        self.carry_out(id, out);
        let each = |r: std::result::Result<(), GroupError>| r.map_err(convert::error);
        Ok(answer
            .map_err(convert::error)?
            .into_iter()
            .map(each)
            .collect())
    }

    /// Does what a group wants done, and what follows from that.
    pub(super) fn carry_out(&mut self, id: &str, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            let Effect::Persist {
                id: write,
                snapshot,
            } = effect
            else {
                self.answer(effect);
                continue;
            };
            if let Err(error) = self.persist(id, write, &snapshot) {
                let now = self.now();
                let mut more = Vec::new();
                if let Some(entry) = self.groups.get_mut(id) {
                    entry.group.persisted(now, write, Err(error), &mut more);
                }
                queue.extend(more);
            }
        }
        self.settle(id);
    }

    pub(super) fn answer(&mut self, effect: Effect) {
        // A caller that has gone away does not take its answer.
        match effect {
            Effect::Joined { waiter, answer } => {
                if let Some(reply) = self.joins.remove(&waiter) {
                    let _ = reply.send(answer.map(convert::joined).map_err(convert::error));
                }
            }
            Effect::Synced { waiter, answer } => {
                if let Some(reply) = self.syncs.remove(&waiter) {
                    let _ = reply.send(answer.map(convert::synced).map_err(convert::error));
                }
            }
            Effect::Persist { .. } => {}
        }
    }

    /// A group changed: notes when it wants to be woken, and forgets it if nothing is left of it.
    pub(super) fn settle(&mut self, id: &str) {
        let Some(entry) = self.groups.get_mut(id) else {
            return;
        };
        let wanted = entry.group.next_deadline();
        if wanted != entry.deadline {
            if let Some(at) = entry.deadline {
                self.deadlines.remove(&(at, id.to_owned()));
            }
            if let Some(at) = wanted {
                self.deadlines.insert((at, id.to_owned()));
            }
            entry.deadline = wanted;
        }
        if entry.is_trace() {
            self.groups.remove(id);
        }
    }

    /// Lines a group's state up to be written.
    fn persist(
        &mut self,
        id: &str,
        write: PersistId,
        snapshot: &Snapshot,
    ) -> std::result::Result<(), GroupError> {
        let failed = |why: &dyn std::fmt::Display| GroupError::Failed(why.to_string());
        let key = format::write_group_key(id).map_err(|e| failed(&e))?;
        let value = format::write_group(snapshot).map_err(|e| failed(&e))?;
        let record = LogRecord {
            key,
            value: Some(value),
        };
        if record.len() > self.config.record_bytes_max {
            warn!(
                group = id,
                bytes = record.len(),
                "the group's state is too large to be written"
            );
            return Err(failed(&"the group's state is too large"));
        }
        if let Some(entry) = self.groups.get_mut(id) {
            entry.written = true;
        }
        self.writer.push(Write {
            group: id.to_owned(),
            records: vec![record],
            done: Done::Persisted(write),
        });
        Ok(())
    }
}
