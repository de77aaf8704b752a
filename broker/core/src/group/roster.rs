use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

use super::{GroupError, JoinedMember, member::Member};

/// The members of a group, and what is counted over them.
///
/// In order of member id, so that whatever is chosen "first" is the same in every run.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    members: BTreeMap<String, Member>,
    /// Instance id to member id.
    instances: BTreeMap<String, String>,
    /// How many members offer a protocol.
    support: BTreeMap<String, usize>,
    leader: Option<String>,
    /// Ids that were given out and have not come back yet (KIP-394).
    pending_join: BTreeSet<String>,
    /// Members of this generation that have not synced yet.
    pending_sync: BTreeSet<String>,
    bytes: usize,
}

impl Roster {
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn contains(&self, id: &str) -> bool {
        self.members.contains_key(id)
    }

    pub fn get(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub fn ids(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    /// For fields that nothing is counted over; not for protocols, instance or assignment.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.get_mut(id)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.values_mut()
    }

    pub fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    pub fn is_leader(&self, id: &str) -> bool {
        self.leader() == Some(id)
    }

    pub fn set_leader(&mut self, id: Option<String>) {
        self.leader = id;
    }

    pub fn instance(&self, instance: &str) -> Option<&str> {
        self.instances.get(instance).map(String::as_str)
    }

    /// Bytes of what members offer and are assigned.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first to be added leads.
    pub fn add(&mut self, member: Member) {
        self.pending_join.remove(&member.id);
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), member.id.clone());
        }
        self.count_in(&member);
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out; another one leads if it did.
    pub fn remove(&mut self, id: &str) -> Option<Member> {
        self.pending_join.remove(id);
        self.pending_sync.remove(id);
        let member = self.members.remove(id)?;
        self.count_out(&member);
        if let Some(instance) = &member.instance
            && self.instance(instance) == Some(id)
        {
            self.instances.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Puts `member` in the place of `old`, leadership included. Gives back the old one.
    pub fn replace(&mut self, old: &str, member: Member) -> Option<Member> {
        let led = self.is_leader(old);
        let removed = self.remove(old);
        let id = member.id.clone();
        self.add(member);
        if led {
            self.leader = Some(id);
        }
        removed
    }

    pub fn set_protocols(&mut self, id: &str, protocols: Vec<(String, Bytes)>) {
        let Some(mut member) = self.members.remove(id) else {
            return;
        };
        self.count_out(&member);
        member.protocols = protocols;
        self.count_in(&member);
        self.members.insert(id.to_owned(), member);
    }

    pub fn set_assignment(&mut self, id: &str, assignment: Bytes) {
        if let Some(member) = self.members.get_mut(id) {
            self.bytes = self.bytes - member.assignment.len() + assignment.len();
            member.assignment = assignment;
        }
    }

    pub fn add_pending_join(&mut self, id: String) {
        self.pending_join.insert(id);
    }

    pub fn is_pending_join(&self, id: &str) -> bool {
        self.pending_join.contains(id)
    }

    pub fn pending_join_count(&self) -> usize {
        self.pending_join.len()
    }

    pub fn await_syncs(&mut self) {
        self.pending_sync = self.members.keys().cloned().collect();
    }

    pub fn has_synced(&mut self, id: &str) {
        self.pending_sync.remove(id);
    }

    pub fn pending_sync(&self) -> &BTreeSet<String> {
        &self.pending_sync
    }

    pub fn clear_pending_sync(&mut self) {
        self.pending_sync.clear();
    }

    pub fn joining_count(&self) -> usize {
        self.iter().filter(|m| m.joining.is_some()).count()
    }

    pub fn all_joined(&self) -> bool {
        self.pending_join.is_empty() && self.iter().all(|m| m.joining.is_some())
    }

    /// Dynamic members that have not rejoined; static ones stay for their session.
    pub fn absent_dynamic(&self) -> Vec<String> {
        self.iter()
            .filter(|m| m.joining.is_none() && m.instance.is_none())
            .map(|m| m.id.clone())
            .collect()
    }

    /// Makes sure that the leader is somebody who joined. False: nobody did.
    pub fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &str| self.get(id).is_some_and(|m| m.joining.is_some());
        if self.leader().is_some_and(joined) {
            return true;
        }
        let next = self
            .iter()
            .find(|m| m.joining.is_some())
            .map(|m| m.id.clone());
        let found = next.is_some();
        if found {
            self.leader = next;
        }
        found
    }

    /// The greatest of the members', milliseconds; 0 without any.
    pub fn rebalance_timeout_ms(&self) -> i64 {
        self.iter()
            .map(|m| i64::from(m.rebalance_timeout_ms.max(0)))
            .max()
            .unwrap_or(0)
    }

    pub fn all_support(&self, protocol: &str) -> bool {
        self.support.get(protocol).copied().unwrap_or(0) == self.len()
    }

    /// Every member votes for its favourite among those that all offer; most votes win, and the
    /// leader's preference decides between equals.
    pub fn choose_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.iter() {
            let favourite = member
                .protocols
                .iter()
                .find(|(name, _)| self.all_support(name));
            if let Some((name, _)) = favourite {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        let leader = self.leader.as_deref().and_then(|id| self.get(id));
        let preferred = leader
            .into_iter()
            .flat_map(|l| l.protocols.iter())
            .map(|(name, _)| name.as_str())
            .find(|name| votes.get(name) == Some(&most));
        let any = || {
            votes
                .iter()
                .find(|(_, n)| **n == most)
                .map(|(name, _)| *name)
        };
        preferred.or_else(any).map(str::to_owned)
    }

    /// Whether `member` is here, and is the one that has `instance`.
    pub fn check(&self, member: &str, instance: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            match self.instance(instance) {
                None => return Err(GroupError::UnknownMember),
                Some(holder) if holder != member => return Err(GroupError::FencedInstance),
                Some(_) => {}
            }
        }
        if self.contains(member) {
            Ok(())
        } else {
            Err(GroupError::UnknownMember)
        }
    }

    /// What the leader needs to assign.
    pub fn joined_members(&self, protocol: &str) -> Vec<JoinedMember> {
        self.iter()
            .map(|m| JoinedMember {
                member: m.id.clone(),
                instance: m.instance.clone(),
                metadata: m.metadata(protocol),
            })
            .collect()
    }

    fn count_in(&mut self, member: &Member) {
        self.bytes += member.weight();
        for (name, _) in &member.protocols {
            *self.support.entry(name.clone()).or_default() += 1;
        }
    }

    fn count_out(&mut self, member: &Member) {
        self.bytes -= member.weight();
        for (name, _) in &member.protocols {
            if let Some(count) = self.support.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.support.remove(name);
                }
            }
        }
    }
}
