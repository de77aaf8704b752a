use weir_api::{Error, GroupDescription, GroupListing, GroupMember, Result};
use weir_core::group::{MemberView, OffsetKey};

use super::{
    Coordinator, Reply,
    offsets::tombstones,
    writer::{Done, Write},
};
use crate::group::{convert, format, log::LogRecord};

impl Coordinator {
    pub(super) fn list(&self) -> Vec<GroupListing> {
        self.groups
            .iter()
            .map(|(id, entry)| GroupListing {
                group: id.clone(),
                protocol_type: entry.group.protocol_type().to_owned(),
                state: entry.group.state().name(),
            })
            .collect()
    }

    pub(super) fn describe(&self, id: &str) -> Result<GroupDescription> {
        let group = &self.groups.get(id).ok_or(Error::GroupIdNotFound)?.group;
        let member = |m: MemberView| GroupMember {
            member: m.member,
            instance: m.instance,
            client_id: m.client_id,
            client_host: m.client_host,
            metadata: m.metadata,
            assignment: m.assignment,
        };
        Ok(GroupDescription {
            group: id.to_owned(),
            state: group.state().name(),
            protocol_type: group.protocol_type().to_owned(),
            protocol: group.protocol().to_owned(),
            members: group.members().into_iter().map(member).collect(),
        })
    }

    pub(super) fn delete_group(&mut self, id: &str, reply: Reply<()>) {
        let begun = match self.groups.get_mut(id) {
            None => Err(Error::GroupIdNotFound),
            Some(entry) => entry.group.begin_delete().map_err(convert::error),
        };
        match begun {
            Ok(()) => self.write_deletion(id, Some(reply)),
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    /// Tombstones for a group that has been told, and for its offsets, those being written too.
    pub(super) fn write_deletion(&mut self, id: &str, reply: Option<Reply<()>>) {
        let Some(entry) = self.groups.get_mut(id) else {
            return;
        };
        let keys = entry.offsets.keys();
        keys.iter().for_each(|key| entry.offsets.begin(key));
        let mut records = tombstones(id, &keys);
        let key = format::write_group_key(id).ok();
        records.extend(key.map(|key| LogRecord { key, value: None }));
        let done = Done::GroupDeleted { keys, reply };
        self.writer.push(Write {
            group: id.to_owned(),
            records,
            done,
        });
        self.settle(id);
    }

    pub(super) fn group_deleted(
        &mut self,
        id: &str,
        keys: Vec<OffsetKey>,
        outcome: Result<()>,
        reply: Option<Reply<()>>,
    ) {
        if let Some(entry) = self.groups.get_mut(id) {
            if outcome.is_ok() {
                if let Some(at) = entry.deadline {
                    self.deadlines.remove(&(at, id.to_owned()));
                }
                self.groups.remove(id);
            } else {
                keys.iter().for_each(|key| entry.offsets.end(key));
                entry.group.delete_failed();
                self.settle(id);
            }
        }
        if let Some(reply) = reply {
            let _ = reply.send(outcome);
        }
    }
}
