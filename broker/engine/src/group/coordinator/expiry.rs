use tracing::info;
use weir_core::group::State;

use super::Coordinator;

/// How long offsets are kept after the last question of somebody who watches the group: longer
/// than any of their pauses.
const WATCH_HOLDS_MS: i64 = 3_600_000;

impl Coordinator {
    /// Deletes what nobody has needed for the retention time: offsets, and with the last of them
    /// a group without members.
    pub(super) fn expire(&mut self) {
        let now = self.now();
        let mut offsets = Vec::new();
        let mut groups = Vec::new();
        let settings = self.settings();
        for (id, entry) in &mut self.groups {
            entry.group.configure(settings);
            // Where nobody consumes because a scaler went down to zero, the offsets say where it
            // goes on.
            if entry
                .watched
                .is_some_and(|at| now.steady.since(at) < WATCH_HOLDS_MS)
            {
                continue;
            }
            let keys = entry.group.expired_offsets(now, &entry.offsets);
            let all = keys.len() == entry.offsets.keys().len();
            if all && entry.group.state() == State::Empty && entry.group.is_idle() {
                groups.push(id.clone());
            } else if !keys.is_empty() {
                offsets.push((id.clone(), keys));
            }
        }
        for (id, keys) in offsets {
            info!(group = id, count = keys.len(), "committed offsets expired");
            self.write_tombstones(&id, keys, None);
        }
        for id in groups {
            let begun = self
                .groups
                .get_mut(&id)
                .is_some_and(|e| e.group.begin_delete().is_ok());
            if begun {
                info!(group = id, "the group expired");
                self.write_deletion(&id, None);
            }
        }
    }
}
