use bytes::Bytes;

use super::{GroupError, Snapshot};

/// A caller who waits for an answer; the shell gives out the numbers, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiter(pub u64);

/// One write that the group asked for; unique within the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersistId(pub u64);

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer a join. Every waiter is answered once.
    Joined {
        waiter: Waiter,
        answer: Result<Joined, GroupError>,
    },
    /// Answer a sync. Every waiter is answered once.
    Synced {
        waiter: Waiter,
        answer: Result<Synced, GroupError>,
    },
    /// Write this to the log, then report with [`super::Group::persisted`].
    Persist { id: PersistId, snapshot: Snapshot },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub generation: i32,
    pub protocol_type: String,
    pub protocol: String,
    pub leader: String,
    pub member: String,
    /// KIP-814: the leader came back as a static member; the assignment stands.
    pub skip_assignment: bool,
    /// For the leader only.
    pub members: Vec<JoinedMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    pub member: String,
    pub instance: Option<String>,
    pub metadata: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    pub protocol_type: String,
    pub protocol: String,
    pub assignment: Bytes,
}
