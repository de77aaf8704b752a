//! What a shard does as time passes.

use std::time::Duration;
use weir_core::replica::{Event, Role};
use weir_types::Millis;

use super::PartitionsConfig;
use super::shard::{Entry, Shard};
use super::upkeep::Chore;
use std::sync::atomic::{AtomicI64, Ordering};

/// How often the rules hear of time (laggards leave the ISR within that much).
const RULES_MS: i64 = 500;

pub(super) struct Ticker {
    every_ms: i64,
    next: Millis,
    rules_next: Millis,
    retain_every_ms: i64,
    retain_next: Millis,
    compact_every_ms: i64,
    compact_next: Millis,
    last: Gauges,
}

#[derive(Clone, Copy, Default)]
struct Gauges {
    partitions: i64,
    leaders: i64,
    under_replicated: i64,
    under_min_isr: i64,
}

impl Ticker {
    pub(super) fn new(config: &PartitionsConfig) -> Self {
        let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX).max(1);
        let retain_every_ms = ms(config.retention_check);
        let compact_every_ms = ms(config.compaction_check);
        Self {
            every_ms: ms(config.tick),
            next: Millis(0),
            rules_next: Millis(0),
            retain_every_ms,
            retain_next: Millis(retain_every_ms),
            compact_every_ms,
            compact_next: Millis(compact_every_ms),
            last: Gauges::default(),
        }
    }

    pub(super) fn is_due(&self, now: Millis) -> bool {
        now >= self.next
    }
}

fn due(next: &mut Millis, every_ms: i64, now: Millis) -> bool {
    let due = now >= *next;
    if due {
        *next = now.plus(every_ms);
    }
    due
}

impl Shard {
    pub(super) fn tick(&mut self) {
        let now = self.around.now;
        self.ticker.next = now.plus(self.ticker.every_ms);
        self.expire_waits();
        self.sync_lazy();
        if due(&mut self.ticker.rules_next, RULES_MS, now) {
            self.tick_rules();
        }
        let retain = due(
            &mut self.ticker.retain_next,
            self.ticker.retain_every_ms,
            now,
        );
        let compact = due(
            &mut self.ticker.compact_next,
            self.ticker.compact_every_ms,
            now,
        );
        if (retain || compact) && !self.around.stopping {
            self.schedule_upkeep(retain, compact);
        }
    }

    fn expire_waits(&mut self) {
        let mut waiting = std::mem::take(&mut self.around.waiting);
        waiting.sort_unstable();
        waiting.dedup();
        waiting.retain(|id| match self.slots.get_mut(id) {
            Some(Entry::Here(slot)) => {
                slot.expire(self.around.now);
                slot.has_waits()
            }
            Some(Entry::Away(_)) => true,
            None => false,
        });
        self.around.waiting = waiting;
    }

    fn sync_lazy(&mut self) {
        let mut lazy = std::mem::take(&mut self.around.lazy);
        lazy.retain(|id| {
            let Some(Entry::Here(slot)) = self.slots.get_mut(id) else {
                return false;
            };
            match slot.sync_due {
                Some(at) if at <= self.around.now => {
                    slot.make_dirty(&mut self.around);
                    false
                }
                due => due.is_some(),
            }
        });
        self.around.lazy = lazy;
    }

    fn tick_rules(&mut self) {
        let mut gauges = Gauges {
            partitions: self.slots.len() as i64,
            ..Gauges::default()
        };
        for entry in self.slots.values_mut() {
            let Entry::Here(slot) = entry else { continue };
            slot.rest_if_idle(self.around.now);
            if !matches!(slot.replica.role(), Role::Leader { .. }) {
                continue;
            }
            gauges.leaders += 1;
            let members = slot.replica.membership();
            let replicas = members.map_or(0, |m| m.replicas.len());
            // Nobody misses a replica before it was there.
            let missed = members.is_some_and(|m| {
                let out = |b| !m.isr.contains(b) && !m.adding.contains(b);
                m.replicas.iter().any(out)
            });
            if replicas > 1 {
                slot.tell_appended(&mut self.around);
                slot.step(&mut self.around, Event::Tick);
                slot.touch(&mut self.around);
            }
            gauges.under_replicated += i64::from(missed);
            gauges.under_min_isr += i64::from(!slot.replica.has_min_isr());
        }
        self.publish_gauges(gauges);
    }

    fn publish_gauges(&mut self, now: Gauges) {
        let last = std::mem::replace(&mut self.ticker.last, now);
        let metrics = &self.around.hub.metrics;
        let add = |gauge: &AtomicI64, now: i64, last: i64| {
            gauge.fetch_add(now - last, Ordering::Relaxed);
        };
        add(&metrics.partitions, now.partitions, last.partitions);
        add(&metrics.leaders, now.leaders, last.leaders);
        add(
            &metrics.under_replicated,
            now.under_replicated,
            last.under_replicated,
        );
        add(
            &metrics.under_min_isr,
            now.under_min_isr,
            last.under_min_isr,
        );
    }

    fn schedule_upkeep(&mut self, retain: bool, compact: bool) {
        for (id, entry) in &mut self.slots {
            let Entry::Here(slot) = entry else { continue };
            let chore = match (slot.config.compact, slot.config.delete) {
                (true, _) if compact => Chore::Compact,
                (_, true) if retain => Chore::Retain,
                _ => continue,
            };
            if slot.upkeep_due.replace(chore).is_none() {
                self.upkeep_queue.push_back(*id);
            }
        }
        self.next_upkeep();
    }
}
