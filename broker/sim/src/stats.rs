//! What a run saw: a run that saw no election proves nothing about elections.

use std::ops::AddAssign;

use crate::broker::SyncPoint;

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident: $title:literal,)*) => {
        /// Counts of one run, or of many.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl AddAssign for Stats {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl Stats {
            /// Titles and counts, in order of importance.
            pub fn rows(&self) -> Vec<(&'static str, u64)> {
                vec![$(($title, self.$name),)*]
            }
        }
    };
}

stats! {
    operations: "operations",
    acknowledged: "records acknowledged with acks=all",
    unknown: "records of unknown fate",
    refused: "answers other than an acknowledgement",
    duplicates: "retries answered as duplicates",
    read: "records read",
    faults: "faults",
    power_losses: "power losses",
    // At the five points where one can be armed; `SyncPoint` says what each means.
    lost_before_sync: "power losses before a sync",
    lost_after_sync: "power losses after a sync",
    lost_after_finish: "power losses after a finished sync",
    lost_before_mark: "power losses before a mark",
    lost_after_mark: "power losses after a mark",
    kills: "kills",
    stops: "orderly stops",
    partitions: "network partitions",
    /// Leader epochs that began.
    elections: "elections",
    /// Among replicas that all stopped uncleanly, by what they hold.
    greatest_elected: "elections by the ends of logs",
    isr_changes: "ISR changes",
    reassignments_completed: "reassignments completed",
    reassignments_cancelled: "reassignments cancelled",
    /// Replicas deleted because they are others' now.
    dropped: "replicas dropped",
    cordons: "cordons",
    /// Followers' logs cut where they part from the leader's.
    truncations: "truncations of logs",
    /// Records that those cuts removed.
    cut_records: "records cut",
    /// Invalid bytes found and cut by recovery, and sectors torn by a power loss.
    torn_writes: "torn writes",
    recoveries: "recoveries",
    syncs: "syncs",
    failed_syncs: "failed syncs",
    full_disks: "full disks",
    lost_folders: "lost folders",
    deletions: "deletions of old records",
    flipped_bits: "flipped bits",
    damages: "damaged replicas rebuilt",
    events: "events",
}

impl Stats {
    /// An armed power loss came at its point.
    pub(crate) fn lost_power_at(&mut self, point: SyncPoint) {
        *match point {
            SyncPoint::BeforeSync => &mut self.lost_before_sync,
            SyncPoint::AfterSync => &mut self.lost_after_sync,
            SyncPoint::AfterFinish => &mut self.lost_after_finish,
            SyncPoint::BeforeMark => &mut self.lost_before_mark,
            SyncPoint::AfterMark => &mut self.lost_after_mark,
        } += 1;
    }

    /// Power losses at each point of a sync: none of them may be 0 over many runs.
    pub fn at_sync_points(&self) -> [(&'static str, u64); 5] {
        [
            ("power losses before a sync", self.lost_before_sync),
            ("power losses after a sync", self.lost_after_sync),
            ("power losses after a finished sync", self.lost_after_finish),
            ("power losses before a mark", self.lost_before_mark),
            ("power losses after a mark", self.lost_after_mark),
        ]
    }
}
