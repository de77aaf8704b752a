//! Faults strike and pass.

use weir_core::cluster::{ClusterCommand, Image, Reassignment};
use weir_types::BrokerId;

use super::machines::Death;
use super::{Happening, Relief, World};
use crate::broker::Timer;
use crate::disk::SimDisk;
use crate::faults::{Fault, draw};
use crate::invariants::Violation;
use crate::message::Node;

impl World {
    pub(super) fn strike(&mut self) -> Result<(), Violation> {
        let fault = draw(&mut self.dice);
        let Some(id) = self.dice.pick(&self.machines).map(|m| m.id) else {
            return Ok(());
        };
        self.stats.faults += 1;
        self.trace.note(&[7, i64::from(id.0)]);
        self.line(|| format!("fault: {fault:?} at broker {id}"));
        match fault {
            Fault::PowerLoss => self.kill_if_up(id, Death::PowerLoss),
            Fault::Kill => self.kill_if_up(id, Death::Kill),
            Fault::PowerLossAt(point) => {
                if let Some(machine) = self.machine_mut(id) {
                    machine.armed = Some(point);
                }
            }
            Fault::PowerLossAfter(changes) => {
                if let Some(machine) = self.machine_mut(id).filter(|m| m.process.is_some()) {
                    machine.disk.power_off_after(changes);
                }
            }
            Fault::Blackout => {
                for index in 0..self.machines.len() {
                    let id = self.machines[index].id;
                    self.kill_if_up(id, Death::PowerLoss);
                }
            }
            Fault::OrderlyStop => self.begin_stop(id),
            Fault::CutFromBrokers | Fault::CutFromController | Fault::CutFromAll | Fault::Deaf => {
                self.cut_off(id, fault);
            }
            Fault::Storm => {
                self.net.loss_per_mille = self.dice.range(20, 300);
                self.net.double_per_mille = self.dice.range(0, 200);
                self.net.delay_us_max = self.dice.range(5_000, 100_000);
                self.relieve_later(Relief::Network);
            }
            Fault::SlowDisk | Fault::FailedSync | Fault::FullDisk => self.disk_fault(id, fault),
            Fault::Preferred => {
                let elect = ClusterCommand::ElectPreferred { partitions: None };
                // Nothing to elect is as good.
                let _outcome = self.apply(&elect);
            }
            Fault::LostFolder => self.lose_folder(id),
            Fault::FlippedBit => self.flip_bit(id),
        }
        Ok(())
    }

    fn kill_if_up(&mut self, id: BrokerId, how: Death) {
        if self.process_mut(id).is_some() {
            self.die(id, how);
        }
    }

    fn begin_stop(&mut self, id: BrokerId) {
        if let Some(epoch) = self.process_mut(id).and_then(|p| p.epoch) {
            let stop = ClusterCommand::BeginStop { broker: id, epoch };
            // Refused if the registration is no longer current: it stops all the same.
            let _outcome = self.apply(&stop);
            self.later(id, Timer::Stopped);
        }
    }

    fn cut_off(&mut self, id: BrokerId, fault: Fault) {
        self.stats.partitions += 1;
        let me = Node::Broker(id);
        let brokers = self
            .machines
            .iter()
            .map(|m| Node::Broker(m.id))
            .filter(|n| *n != me);
        let clients = (0..self.producers.len())
            .map(Node::Producer)
            .chain((0..self.consumers.len()).map(Node::Consumer));
        let others: Vec<Node> = match fault {
            Fault::CutFromBrokers => brokers.collect(),
            Fault::CutFromController => vec![Node::Controller],
            _ => brokers.chain([Node::Controller]).chain(clients).collect(),
        };
        for other in others {
            self.net.cut(other, me);
            if fault != Fault::Deaf {
                self.net.cut(me, other);
            }
        }
        self.relieve_later(Relief::Network);
    }

    fn disk_fault(&mut self, id: BrokerId, fault: Fault) {
        let slowness = self.dice.range(20, 300);
        let room = self.dice.below(30_000);
        let Some(machine) = self.machine_mut(id) else {
            return;
        };
        match fault {
            Fault::SlowDisk => machine.slowness = slowness,
            Fault::FailedSync => {
                machine.failing = true;
                machine.disk.faults().fail_next_sync();
                self.stats.failed_syncs += 1;
            }
            _ => {
                machine.full = true;
                machine.disk.faults().set_free_bytes(Some(room));
                self.stats.full_disks += 1;
            }
        }
        self.relieve_later(Relief::Disk(id));
    }

    /// A new, empty disk, where every partition has its acknowledged records elsewhere.
    fn lose_folder(&mut self, id: BrokerId) {
        let waits = |m: &crate::broker::Machine| m.awaits_new_folder;
        if self.machines.iter().any(waits) || !is_dispensable(&self.quorum.image, id) {
            return;
        }
        self.stats.lost_folders += 1;
        self.invariants.greatest_leads.lost(id, |_| true);
        let seed = self.dice.roll();
        self.kill_if_up(id, Death::Kill);
        if let Some(machine) = self.machine_mut(id) {
            machine.disk = SimDisk::new(seed);
            machine.awaits_new_folder = true;
        }
    }

    /// Recovery finds it: after an unclean stop it reads the last segment of each log. (After a
    /// clean one nothing is read, and it is found by whoever checks the CRC: another story.)
    fn flip_bit(&mut self, id: BrokerId) {
        let waits = |m: &crate::broker::Machine| m.awaits_new_folder;
        let up = self.process_mut(id).is_some();
        if !up || self.machines.iter().any(waits) || !is_dispensable(&self.quorum.image, id) {
            return;
        }
        self.kill_if_up(id, Death::Kill);
        self.invariants.greatest_leads.lost(id, |_| true);
        let (draw, at) = (self.dice.roll(), self.dice.roll());
        if let Some(machine) = self.machine_mut(id) {
            // Until it has registered, what it lost counts as lost.
            machine.awaits_new_folder = machine.disk.flip_a_bit(draw, at);
            self.stats.flipped_bits += 1;
        }
    }

    fn relieve_later(&mut self, relief: Relief) {
        let after_us = self.dice.range(200_000, 6_000_000);
        self.queue.after(after_us, Happening::Relief(relief));
    }

    pub(super) fn relieve(&mut self, relief: Relief) {
        match relief {
            Relief::Network => self.net.heal(),
            Relief::Disk(id) => {
                if let Some(machine) = self.machine_mut(id) {
                    machine.relieve();
                }
            }
        }
    }
}

/// Somebody else is known to have everything acknowledged, in each partition, and will have it.
fn is_dispensable(image: &Image, id: BrokerId) -> bool {
    let moves = |r: &Reassignment| r.before.contains(&id) || r.target.contains(&id);
    if image.reassignments.values().any(moves) {
        return false;
    }
    image.topics.values().all(|topic| {
        topic
            .partitions
            .iter()
            .filter(|p| p.replicas.contains(&id))
            .all(|p| {
                let mut eligible = p.isr.iter().chain(&p.elr);
                eligible.any(|other| *other != id)
            })
    })
}
