use bytes::Bytes;

use super::{Join, MemberSnapshot, Waiter};

/// One member of a group.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub id: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    /// In order of preference, each name once.
    pub protocols: Vec<(String, Bytes)>,
    pub assignment: Bytes,
    /// It waits for the join phase to end.
    pub joining: Option<Waiter>,
    /// It waits for its assignment.
    pub syncing: Option<Waiter>,
    /// It has not seen a generation yet, and so cannot send heartbeats.
    pub is_new: bool,
}

impl Member {
    pub fn new(id: String, join: Join, waiter: Waiter) -> Self {
        Self {
            id,
            instance: join.instance,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocols: join.protocols,
            assignment: Bytes::new(),
            joining: Some(waiter),
            syncing: None,
            is_new: true,
        }
    }

    /// As it was written under `protocol`, the only one that is remembered.
    pub fn load(saved: MemberSnapshot, protocol: &str) -> Self {
        Self {
            id: saved.member,
            instance: saved.instance,
            client_id: saved.client_id,
            client_host: saved.client_host,
            session_timeout_ms: saved.session_timeout_ms,
            rebalance_timeout_ms: saved.rebalance_timeout_ms,
            protocols: vec![(protocol.to_owned(), saved.subscription)],
            assignment: saved.assignment,
            joining: None,
            syncing: None,
            is_new: false,
        }
    }

    pub fn save(&self, protocol: Option<&str>, assignment: Bytes) -> MemberSnapshot {
        MemberSnapshot {
            member: self.id.clone(),
            instance: self.instance.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: protocol.map(|p| self.metadata(p)).unwrap_or_default(),
            assignment,
        }
    }

    /// What it offers under `protocol`; empty if it does not know it.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|(name, _)| name == protocol)
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    /// Whether it offers the same protocols, in the same order, with the same metadata.
    pub fn matches(&self, protocols: &[(String, Bytes)]) -> bool {
        self.protocols == protocols
    }

    /// Bytes that it makes the group hold.
    pub fn weight(&self) -> usize {
        protocols_bytes(&self.protocols) + self.assignment.len()
    }
}

pub(super) fn protocols_bytes(protocols: &[(String, Bytes)]) -> usize {
    protocols
        .iter()
        .map(|(name, metadata)| name.len() + metadata.len())
        .sum()
}
