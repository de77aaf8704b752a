//! openraft's types, filled in.

// The runtime's new home is a crate of its own; openraft still re-exports it.
#![allow(deprecated)]

use serde::{Deserialize, Serialize};
use std::fmt;
use weir_core::cluster::{ClusterCommand, ClusterError, ClusterReply};

/// What the quorum's log carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proposal(pub ClusterCommand);

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The variant's name alone: a topic's assignments would fill pages.
        let full = format!("{:?}", self.0);
        let name = full.split([' ', '(', '{']).next();
        f.write_str(name.unwrap_or_default())
    }
}

/// What applying one entry gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Of the image that holds the effect.
    pub version: u64,
    pub result: Result<ClusterReply, ClusterError>,
}

openraft::declare_raft_types!(
    /// The metadata quorum's types; standard Raft terms, one leader each.
    pub Types:
        D = Proposal,
        R = Applied,
        NodeId = u64,
        Node = openraft::BasicNode,
        Term = u64,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
);

pub type Raft = openraft::Raft<Types, super::machine::Machine>;
pub type Entry = openraft::type_config::alias::EntryOf<Types>;
pub type LogId = openraft::type_config::alias::LogIdOf<Types>;
pub type Vote = openraft::type_config::alias::VoteOf<Types>;
pub type StoredMembership = openraft::type_config::alias::StoredMembershipOf<Types>;
pub type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<Types>;
pub type Metrics = openraft::RaftMetrics<Types>;
