//! What a run saw: a run that saw no election proves nothing about elections.

use std::ops::AddAssign;

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
    kills: "kills",
    stops: "orderly stops",
    partitions: "network partitions",
    /// Leader epochs that began.
    elections: "elections",
    isr_changes: "ISR changes",
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
