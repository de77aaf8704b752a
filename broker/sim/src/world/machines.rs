//! Machines lose power, processes die, stop and start.

use weir_types::{BrokerId, Millis};

use super::{Happening, World};
use crate::broker::{Broken, Machine, Process, Start, SyncPoint, Timer};
use crate::invariants::Violation;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    PowerLoss,
    Kill,
    Orderly,
}

impl World {
    pub(super) fn machine_mut(&mut self, id: BrokerId) -> Option<&mut Machine> {
        self.machines.iter_mut().find(|m| m.id == id)
    }

    pub(super) fn machine(&self, id: BrokerId) -> Option<&Machine> {
        self.machines.iter().find(|m| m.id == id)
    }

    pub(super) fn process_mut(&mut self, id: BrokerId) -> Option<&mut Process> {
        self.machine_mut(id)?.process.as_deref_mut()
    }

    /// Ends the process, and starts another one after a while.
    pub(super) fn die(&mut self, id: BrokerId, how: Death) {
        self.line(|| format!("broker {id}: {how:?}"));
        let epoch = self.process_mut(id).and_then(|p| p.epoch);
        let Some(machine) = self.machine_mut(id) else {
            return;
        };
        machine.process = None;
        machine.armed = None;
        match how {
            Death::PowerLoss => machine.disk.power_loss(),
            Death::Kill => machine.disk.faults().kill(),
            Death::Orderly => {}
        }
        match how {
            Death::PowerLoss => self.stats.power_losses += 1,
            Death::Kill => self.stats.kills += 1,
            Death::Orderly => self.stats.stops += 1,
        }
        self.invariants.logs_match.restarted(id);
        if let Some(epoch) = epoch
            && self.dice.chance(500)
        {
            let delay_us = self.dice.range(1_000, 50_000);
            self.queue
                .after(delay_us, Happening::LostConnection { broker: id, epoch });
        }
        let down_us = if self.dice.chance(300) {
            self.dice.range(2_000, 200_000)
        } else {
            self.dice.range(200_000, 6_000_000)
        };
        self.start_after(id, down_us);
    }

    /// An armed power loss strikes if this is its point.
    pub(super) fn strikes_at(&mut self, id: BrokerId, point: SyncPoint) -> bool {
        let strikes = self.machine(id).is_some_and(|m| m.armed == Some(point));
        if strikes {
            self.line(|| format!("broker {id}: at {point:?}"));
            self.stats.lost_power_at(point);
            self.die(id, Death::PowerLoss);
        }
        strikes
    }

    /// A power loss that came in the middle of what the process just did.
    pub(super) fn power_is_out(&mut self, id: BrokerId) -> bool {
        let out = self
            .machine(id)
            .is_some_and(|m| m.process.is_some() && m.disk.is_out());
        if out {
            self.die(id, Death::PowerLoss);
        }
        out
    }

    /// The process cannot go on. Whoever failed a sync does not know what is on the disk: the
    /// machine is switched off and on.
    pub(super) fn process_broke(&mut self, id: BrokerId, broken: &Broken) -> Result<(), Violation> {
        self.line(|| format!("broker {id}: {broken}"));
        let Some(machine) = self.machine_mut(id) else {
            return Ok(());
        };
        if !machine.may_break(broken) {
            let detail = format!("broker {id}: {broken}");
            return Err(Violation::new(
                "storage fails only when the disk does",
                detail,
            ));
        }
        machine.failing = false;
        self.die(id, Death::PowerLoss);
        Ok(())
    }

    fn start_after(&mut self, id: BrokerId, delay_us: u64) {
        let at_us = self.now_us() + delay_us;
        if let Some(machine) = self.machine_mut(id) {
            machine.starts_at_us = Some(at_us);
            self.queue.after(delay_us, Happening::Start(id));
        }
    }

    pub(super) fn start_if_due(&mut self, id: BrokerId) -> Result<(), Violation> {
        let now_us = self.now_us();
        let due = self
            .machine(id)
            .is_some_and(|m| m.process.is_none() && m.starts_at_us.is_some_and(|at| at <= now_us));
        if due { self.start_machine(id) } else { Ok(()) }
    }

    pub(super) fn start_machine(&mut self, id: BrokerId) -> Result<(), Violation> {
        let incarnation = self.next_id();
        let (now, plant, log_config) = (self.now(), self.options.plant, self.log_config.clone());
        let Some(machine) = self.machine_mut(id) else {
            return Ok(());
        };
        machine.starts_at_us = None;
        let disk = machine.disk.clone();
        let wall = machine.wall(now);
        match Process::start(Start {
            id,
            disk,
            incarnation,
            wall,
            plant,
            log_config,
        }) {
            Ok(process) => {
                let opened = process.opened;
                machine.process = Some(Box::new(process));
                self.stats.recoveries += opened.recovered;
                self.stats.torn_writes += opened.torn;
                self.stats.damages += opened.damaged;
                self.line(|| format!("broker {id}: starts, {opened:?}"));
                self.later(id, Timer::Register);
                self.later(id, Timer::Tick);
                Ok(())
            }
            Err(broken) => self.process_broke(id, &broken),
        }
    }

    /// The end of an orderly stop.
    pub(super) fn finish_stop(&mut self, id: BrokerId) -> Result<(), Violation> {
        self.with_process(id, Process::close)?;
        if self.process_mut(id).is_some() {
            self.die(id, Death::Orderly);
        }
        Ok(())
    }

    pub(super) fn torn_sectors(&self) -> u64 {
        self.machines
            .iter()
            .map(|m| m.disk.faults().counters().pages_torn)
            .sum()
    }
}

impl Machine {
    /// The wall clock there.
    pub fn wall(&self, now: Millis) -> Millis {
        Millis(1_700_000_000_000 + now.0 + self.skew_ms)
    }
}
