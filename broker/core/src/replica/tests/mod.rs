//! Every test asserts state and commands together.

mod follower;
mod furthest;
mod high_watermark;
mod isr;
mod leader;
mod properties;

use weir_types::{BrokerEpoch, BrokerId, LeaderEpoch, Millis, Offset, PartitionEpoch};

use super::{Command, Event, IsrRefused, LogState, Membership, Replica, ReplicaConfig, Role};

const ME: BrokerId = BrokerId(1);
const TWO: BrokerId = BrokerId(2);
const THREE: BrokerId = BrokerId(3);
const LAG_MS: i64 = 30_000;

fn epoch_of(broker: BrokerId) -> BrokerEpoch {
    BrokerEpoch(i64::from(broker.0) * 10)
}

/// Replicas 1, 2, 3, all live, minimum 2; leader epoch and partition epoch as given.
fn membership(leader: Option<BrokerId>, epochs: (i32, i32), isr: &[BrokerId]) -> Membership {
    Membership {
        leader,
        leader_epoch: LeaderEpoch(epochs.0),
        partition_epoch: PartitionEpoch(epochs.1),
        replicas: vec![ME, TWO, THREE],
        isr: isr.to_vec(),
        elr: Vec::new(),
        min_isr: 2,
        live: [ME, TWO, THREE].map(|b| (b, epoch_of(b))).to_vec(),
        stopping: Vec::new(),
        adding: Vec::new(),
    }
}

fn log(end: i64) -> LogState {
    LogState {
        start: Offset::ZERO,
        end: Offset(end),
        durable_end: Offset(end),
    }
}

/// A replica with what it said last.
struct Fixture {
    replica: Replica,
    now: Millis,
}

impl Fixture {
    fn new(log: LogState) -> Self {
        let replica = Replica::new(ME, ReplicaConfig::default(), log);
        Self {
            replica,
            now: Millis(1000),
        }
    }

    /// Leads epoch 5, partition epoch 7, with this ISR and a log that ends, durably, at `end`.
    fn leading(end: i64, isr: &[BrokerId]) -> Self {
        let mut fixture = Self::new(log(end));
        let commands = fixture.step(Event::Metadata(membership(Some(ME), (5, 7), isr)));
        assert_eq!(
            commands.first(),
            Some(&Command::StartLeading {
                epoch: LeaderEpoch(5),
                start: Offset(end)
            })
        );
        fixture
    }

    fn following(end: i64) -> Self {
        let mut fixture = Self::new(log(end));
        fixture.step(Event::Metadata(membership(Some(TWO), (5, 7), &[TWO])));
        fixture
    }

    fn step(&mut self, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        self.replica.step(self.now, event, &mut out);
        out
    }

    fn after(&mut self, ms: i64, event: Event) -> Vec<Command> {
        self.now = self.now.plus(ms);
        self.step(event)
    }

    fn fetched(&mut self, follower: BrokerId, offset: i64) -> Vec<Command> {
        let epoch = epoch_of(follower);
        self.step(Event::FollowerFetched {
            follower,
            epoch,
            fetch_offset: Offset(offset),
        })
    }

    fn durable(&mut self, follower: BrokerId, end: i64) -> Vec<Command> {
        let epoch = epoch_of(follower);
        self.step(Event::FollowerDurable {
            follower,
            epoch,
            durable_end: Offset(end),
        })
    }

    /// Fetched and synced up to `end`.
    fn has(&mut self, follower: BrokerId, end: i64) -> Vec<Command> {
        let mut commands = self.fetched(follower, end);
        commands.extend(self.durable(follower, end));
        commands
    }

    fn append(&mut self, end: i64) -> Vec<Command> {
        self.step(Event::Appended { end: Offset(end) })
    }

    fn sync(&mut self, end: i64) -> Vec<Command> {
        self.step(Event::Synced {
            durable_end: Offset(end),
        })
    }

    fn hw(&self) -> i64 {
        self.replica.high_watermark().0
    }
}

fn hw(to: i64) -> Command {
    Command::HighWatermark { to: Offset(to) }
}

fn propose(partition_epoch: i32, isr: &[BrokerId]) -> Command {
    Command::ProposeIsr {
        leader_epoch: LeaderEpoch(5),
        partition_epoch: PartitionEpoch(partition_epoch),
        isr: isr.iter().map(|b| (*b, epoch_of(*b))).collect(),
    }
}

fn refused(partition_epoch: i32, reason: IsrRefused) -> Event {
    Event::IsrRefused {
        partition_epoch: PartitionEpoch(partition_epoch),
        reason,
    }
}

fn committed(partition_epoch: i32, isr: &[BrokerId]) -> Event {
    Event::IsrCommitted {
        partition_epoch: PartitionEpoch(partition_epoch),
        isr: isr.to_vec(),
    }
}
