use bytes::Bytes;
use weir_types::Millis;

/// Now, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Never goes back; timeouts count on it.
    pub steady: Millis,
    /// Unix time; goes into records.
    pub unix: Millis,
}

#[derive(Clone, Debug)]
pub struct Join {
    /// Empty: a newcomer.
    pub member: String,
    /// KIP-345: a static member.
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: String,
    /// In order of preference: name, metadata.
    pub protocols: Vec<(String, Bytes)>,
    /// KIP-394: a dynamic newcomer must come back with the id that it is given.
    pub require_known_member: bool,
    /// Unique text from which a newcomer's id is made.
    pub unique: String,
}

/// Who a member says it is.
#[derive(Clone, Debug)]
pub struct Claim {
    /// -1 with an empty member: a consumer that assigns by hand.
    pub generation: i32,
    pub member: String,
    pub instance: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Sync {
    pub claim: Claim,
    /// KIP-559: checked where given.
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    /// From the leader: member, assignment.
    pub assignments: Vec<(String, Bytes)>,
}

/// One member that leaves or is removed: by id, or by instance id with an empty member.
#[derive(Clone, Debug)]
pub struct Leave {
    pub member: String,
    pub instance: Option<String>,
}
