//! One run: machines, network, quorum and clients in one queue of events.

mod beginning;
mod clients;
mod deliver;
mod ending;
mod machines;
mod moves;
mod observe;
mod strikes;

use weir_storage::LogConfig;
use weir_types::{BrokerEpoch, BrokerId, Millis, PartitionId};

use crate::broker::{Machine, Timer};
use crate::clients::{Consumer, Producer};
use crate::dice::Dice;
use crate::invariants::{Invariants, Violation};
use crate::message::{Message, Node};
use crate::net::Net;
use crate::options::Options;
use crate::queue::Queue;
use crate::quorum::{ELECTION_WAIT_US, Quorum};
use crate::stats::Stats;
use crate::trace::Trace;

/// No run needs more events than this for each of its operations, settling included.
const EVENTS_PER_OPERATION_MAX: u64 = 2_000;
const EVENTS_MIN: u64 = 5_000_000;

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Deliver {
        from: Node,
        to: Node,
        message: Message,
    },
    Timer {
        broker: BrokerId,
        incarnation: u64,
        timer: Timer,
    },
    Start(BrokerId),
    /// The controller notices that the broker's connection broke.
    LostConnection {
        broker: BrokerId,
        epoch: BrokerEpoch,
    },
    Sweep,
    Populate,
    Operation,
    /// The attempt had no answer, or a bad one a moment ago.
    Retry {
        producer: usize,
        request: u64,
    },
    Relief(Relief),
    /// After the healing: is everything in order?
    Settle,
}

/// The end of a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Relief {
    Network,
    Disk(BrokerId),
}

/// What a run ended with.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first property that did not hold.
    pub violation: Option<Violation>,
    pub stats: Stats,
    /// Equal for two runs of one seed.
    pub trace_hash: u64,
    pub simulated_ms: u64,
}

pub(crate) struct World {
    options: Options,
    dice: Dice,
    queue: Queue<Happening>,
    net: Net,
    quorum: Quorum,
    machines: Vec<Machine>,
    producers: Vec<Producer>,
    consumers: Vec<Consumer>,
    partitions: Vec<PartitionId>,
    log_config: LogConfig,
    invariants: Invariants,
    checked_version: u64,
    stats: Stats,
    trace: Trace,
    /// Names everything that needs a name: requests, proposals, producers, processes.
    last_id: u64,
    last_key: u64,
    /// Everything is healed, and nothing new is started.
    ending_since_us: Option<u64>,
    settled: bool,
}

/// Runs one seed, to the end or to the first property that does not hold.
pub fn run(seed: u64, options: Options) -> Outcome {
    let mut world = World::new(seed, options);
    let violation = world.run().err();
    world.stats.torn_writes += world.torn_sectors();
    Outcome {
        violation,
        stats: world.stats,
        trace_hash: world.trace.hash(),
        simulated_ms: world.queue.now_us() / 1000,
    }
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut dice = Dice::new(seed);
        let brokers = dice.range(3, 5);
        let log_config = LogConfig {
            segment_bytes: u32::try_from(dice.range(4, 64) * 1024).unwrap_or(4096),
            index_interval_bytes: u32::try_from(dice.range(200, 2000)).unwrap_or(200),
            ..LogConfig::default()
        };
        let machines = beginning::new_machines(brokers, &mut dice);
        Self {
            options,
            dice,
            queue: Queue::default(),
            net: Net::default(),
            quorum: Quorum::new(options.plant),
            machines,
            producers: Vec::new(),
            consumers: Vec::new(),
            partitions: Vec::new(),
            log_config,
            invariants: Invariants::default(),
            checked_version: 0,
            stats: Stats::default(),
            trace: Trace::new(options.trace),
            last_id: 0,
            last_key: 0,
            ending_since_us: None,
            settled: false,
        }
    }

    fn run(&mut self) -> Result<(), Violation> {
        self.begin()?;
        let events_max = EVENTS_MIN + self.options.operations * EVENTS_PER_OPERATION_MAX;
        while let Some(happening) = self.queue.pop() {
            self.stats.events += 1;
            if self.stats.events > events_max {
                return Err(Violation::new(
                    "the run ends",
                    format!("{events_max} events"),
                ));
            }
            self.happen(happening)?;
            if self.settled {
                return Ok(());
            }
        }
        Err(Violation::new("the run ends", "nothing happens any more"))
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        let now = i64::try_from(self.now_us()).unwrap_or(i64::MAX);
        self.trace.note(&[now, kind_of(&happening)]);
        match happening {
            Happening::Deliver { from, to, message } => self.deliver(from, to, message)?,
            Happening::Timer {
                broker,
                incarnation,
                timer,
            } => {
                self.timer(broker, incarnation, timer)?;
            }
            Happening::Start(broker) => self.start_if_due(broker)?,
            Happening::LostConnection { broker, epoch } => {
                self.with_quorum(|quorum, now| quorum.fence(now, broker, epoch));
            }
            Happening::Sweep => {
                self.with_quorum(Quorum::sweep);
                self.queue.after(200_000, Happening::Sweep);
            }
            Happening::Populate => self.populate()?,
            Happening::Operation => self.operation()?,
            Happening::Retry { producer, request } => self.retry(producer, request),
            Happening::Relief(relief) => self.relieve(relief),
            Happening::Settle => self.settle()?,
        }
        self.check_metadata()
    }

    /// Looks at the committed image if it is a new one.
    fn check_metadata(&mut self) -> Result<(), Violation> {
        let now_us = self.now_us();
        let image = &self.quorum.image;
        if image.version == self.checked_version {
            return Ok(());
        }
        self.checked_version = image.version;
        let machines = &self.machines;
        let end_of = |broker: BrokerId, id: PartitionId| {
            let machine = machines.iter().find(|m| m.id == broker)?;
            Some(machine.shard(id)?.log_end())
        };
        self.stats.greatest_elected +=
            self.invariants
                .greatest_leads
                .committed(now_us, ELECTION_WAIT_US, image, end_of)?;
        self.stats.reassignments_completed += self.invariants.reassigned.committed(image)?;
        self.invariants.sound_metadata.committed(image)
    }

    fn now_us(&self) -> u64 {
        self.queue.now_us()
    }

    fn now(&self) -> Millis {
        Millis(i64::try_from(self.now_us() / 1000).unwrap_or(i64::MAX))
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn next_producer_id(&mut self) -> i64 {
        i64::try_from(self.next_id()).unwrap_or(i64::MAX)
    }

    fn line(&self, line: impl FnOnce() -> String) {
        self.trace.line(self.now_us(), line);
    }

    fn send(&mut self, from: Node, to: Node, message: Message) {
        for delay_us in self.net.deliveries(&mut self.dice, from, to) {
            let message = message.clone();
            self.queue
                .after(delay_us, Happening::Deliver { from, to, message });
        }
    }
}

/// A number for the trace.
fn kind_of(happening: &Happening) -> i64 {
    let node = |n: &Node| match n {
        Node::Broker(b) => i64::from(b.0),
        Node::Controller => 100,
        Node::Producer(i) | Node::Consumer(i) => 200 + i64::try_from(*i).unwrap_or(0),
    };
    match happening {
        Happening::Deliver { from, to, .. } => 1_000_000 + node(from) * 1000 + node(to),
        Happening::Timer {
            broker,
            incarnation,
            ..
        } => 2_000_000 + i64::from(broker.0) + 1000 * incarnation.cast_signed(),
        Happening::Start(broker) => 10 + i64::from(broker.0),
        Happening::LostConnection { broker, .. } => 20 + i64::from(broker.0),
        Happening::Sweep => 1,
        Happening::Operation => 2,
        Happening::Retry { .. } => 3,
        Happening::Relief(_) => 4,
        Happening::Settle => 5,
        Happening::Populate => 6,
    }
}
