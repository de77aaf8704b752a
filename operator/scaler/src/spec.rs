//! What the user asked for.

/// Of one ConsumerScaler.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Zero allowed.
    pub min_replicas: u32,
    pub max_replicas: u32,
    /// A backlog that appears now is to be gone after this time, milliseconds.
    pub drain_within_ms: u64,
    /// Messages a second of one pod, until it is measured.
    pub initial_rate_per_pod: f64,
    pub no_commit: NoCommit,
}

/// What a partition without a committed offset means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoCommit {
    /// Keep the number of pods, and say so.
    #[default]
    Hold,
    /// All that the log holds is backlog.
    Earliest,
    /// Nothing of what the log holds is backlog.
    Latest,
}
