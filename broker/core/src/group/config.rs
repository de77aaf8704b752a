use weir_types::limits;

/// What every group of a coordinator shares. Names in brackets are Kafka's.
#[derive(Clone, Copy, Debug)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`
    pub session_timeout_ms_min: i32,
    /// `group.max.session.timeout.ms`
    pub session_timeout_ms_max: i32,
    /// `group.initial.rebalance.delay.ms`: how long the first join of an empty group waits for
    /// others; each newcomer prolongs it, up to the rebalance timeout.
    pub initial_rebalance_delay_ms: i64,
    /// How long a newcomer may wait for its first generation before it is taken for gone: it
    /// cannot send heartbeats yet.
    pub new_member_join_timeout_ms: i64,
    /// `group.max.size`
    pub members_max: usize,
    /// Most protocols that one member may offer.
    pub protocols_max: usize,
    /// Bound on what all members of one group together offer and are assigned, bytes.
    pub metadata_bytes_max: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms_min: 6_000,
            session_timeout_ms_max: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            new_member_join_timeout_ms: 5 * 60 * 1_000,
            members_max: limits::GROUP_MEMBERS_MAX,
            protocols_max: 64,
            metadata_bytes_max: 16 * 1024 * 1024,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
        }
    }
}
