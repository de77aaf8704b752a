use bytes::Bytes;
use weir_types::Millis;

/// A group as it is written to the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub protocol_type: String,
    pub generation: i32,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    /// Unix time at which the group came into its state.
    pub state_since: Option<Millis>,
    /// Empty: the group is.
    pub members: Vec<MemberSnapshot>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberSnapshot {
    pub member: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// Metadata under the chosen protocol.
    pub subscription: Bytes,
    pub assignment: Bytes,
}
