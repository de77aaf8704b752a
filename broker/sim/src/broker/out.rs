//! What a simulated broker wants done after an event.

use weir_core::cluster::{AlterPartition, LogEnd, ReportedEnd};
use weir_types::{LeaderEpoch, Offset, PartitionId};

use crate::message::{Message, Node};

/// Something that a process does after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    Tick,
    /// A sync under way reaches the disk.
    Sync(PartitionId),
    /// The process learns that it did.
    Synced(PartitionId),
    /// The registration is asked for (again).
    Register,
    /// The durable marks of the cycle are written.
    Mark,
    /// An orderly stop ends, whatever still waits.
    Stopped,
}

/// What the invariants and the statistics look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    Led {
        partition: PartitionId,
        epoch: LeaderEpoch,
        start: Offset,
    },
    HighWatermark {
        partition: PartitionId,
        to: Offset,
    },
    /// A write with acks=1 was acknowledged.
    LeaderAcked {
        partition: PartitionId,
        at: LogEnd,
    },
    Cut {
        partition: PartitionId,
        from: Offset,
        to: Offset,
    },
    /// The replica is somebody else's now, and its log was deleted here.
    Dropped {
        partition: PartitionId,
    },
    Synced,
    Duplicate,
}

#[derive(Clone, Debug)]
pub enum Effect {
    Send(Node, Message),
    Later(Timer),
    ProposeIsr(Box<AlterPartition>),
    ReportEnds(Vec<ReportedEnd>),
    Saw(Sight),
}

/// Effects in order.
#[derive(Clone, Debug, Default)]
pub struct Out(pub Vec<Effect>);

impl Out {
    pub fn send(&mut self, to: Node, message: Message) {
        self.0.push(Effect::Send(to, message));
    }

    pub fn later(&mut self, timer: Timer) {
        self.0.push(Effect::Later(timer));
    }

    pub fn saw(&mut self, sight: Sight) {
        self.0.push(Effect::Saw(sight));
    }
}
