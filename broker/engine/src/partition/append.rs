//! Writes to a partition that this broker leads.

use std::sync::OnceLock;
use tracing::warn;
use weir_api::{Acks, Appended, Error};
use weir_core::replica::Role;
use weir_storage::LeaderAppend;

use super::around::Around;
use super::commands::Append;
use super::errors;
use super::metrics::add;
use super::slot::Slot;
use super::waits::Wait;

/// Tells a build for tests to acknowledge before anything is synced or replicated, so that the
/// suites' own check is seen to find it.
const PLANTED_LOSS: &str = "WEIR_PLANTED_LOSS";

/// Never in a release: those are built without debug assertions.
fn loses_on_purpose() -> bool {
    static TOLD: OnceLock<bool> = OnceLock::new();
    let told = || {
        let told = std::env::var_os(PLANTED_LOSS).is_some();
        if told {
            warn!("{PLANTED_LOSS} is set: what is acknowledged may be lost");
        }
        told
    };
    cfg!(debug_assertions) && *TOLD.get_or_init(told)
}

impl Slot {
    pub(super) fn append(&mut self, around: &mut Around, append: Append) {
        let Append {
            records,
            acks,
            only_in,
            deadline,
            ticket,
            permit,
            ..
        } = append;
        let Role::Leader { epoch } = self.replica.role() else {
            return ticket.fail(around.hub.why_not_led(self.id));
        };
        if only_in.is_some_and(|only| only != epoch) {
            let leader = Some(self.me);
            return ticket.fail(Error::NotLeader { leader, epoch });
        }
        if acks == Acks::All && !self.replica.has_min_isr() {
            return ticket.fail(Error::NotEnoughReplicas);
        }
        let written = self.log.append_as_leader(&records, epoch, around.unix_now);
        let bytes = records.len();
        drop(records);
        drop(permit);
        let written = match written {
            Ok(written) => written,
            Err(e) => {
                if let Some(e) = errors::storage_of(&e) {
                    around.storage_failed(self.id, "append", e);
                }
                return ticket.fail(errors::of_append(e));
            }
        };
        self.took_in(around, &written, bytes);
        let appended = Appended {
            base_offset: written.base_offset,
            append_time_ms: written.append_time_ms,
            log_start: self.log.start(),
        };
        let end = written.last_offset.plus(1);
        let done = match acks {
            // It is in the log; nobody asks for more.
            Acks::None => true,
            // A write not yet told to the rules cannot be satisfied, whatever they say.
            Acks::Leader => written.duplicate && self.replica.wait_satisfied(end, false),
            Acks::All if loses_on_purpose() => true,
            Acks::All => written.duplicate && self.replica.wait_satisfied(end, true),
        };
        if done {
            return ticket.answer(Ok(appended));
        }
        if !self.has_waits() {
            around.waiting.push(self.id);
        }
        let wait = Wait {
            end,
            deadline,
            appended,
            ticket,
        };
        match acks {
            Acks::All => self.all_waits.insert(wait),
            _ => self.leader_waits.insert(wait),
        }
    }

    fn took_in(&mut self, around: &mut Around, written: &LeaderAppend, bytes: usize) {
        let metrics = &around.hub.metrics;
        if written.duplicate {
            return add(&metrics.duplicate_requests, 1);
        }
        let count = written.last_offset.0 - written.base_offset.0 + 1;
        add(&metrics.appended_bytes, bytes);
        add(&metrics.appended_requests, 1);
        add(
            &metrics.appended_records,
            usize::try_from(count).unwrap_or(0),
        );
        around.round_bytes += bytes;
        self.grown(around);
    }
}
