use weir_core::group::{Group, Offsets};
use weir_types::Millis;

/// A group and what it has committed.
pub(super) struct Entry {
    pub group: Group,
    pub offsets: Offsets,
    /// There may be a record of the group in the log, which only a tombstone takes away.
    pub written: bool,
    /// When it wants to be woken, as it stands in the coordinator's index.
    pub deadline: Option<Millis>,
    /// When somebody last asked that its offsets be kept, on the steady clock.
    pub watched: Option<Millis>,
}

impl Entry {
    pub fn new(group: Group) -> Self {
        Self {
            group,
            offsets: Offsets::default(),
            written: false,
            deadline: None,
            watched: None,
        }
    }

    /// Nobody would miss it.
    pub fn is_trace(&self) -> bool {
        !self.written && self.group.is_idle() && self.offsets.is_empty()
    }
}
