//! The log against a list of records, over random operations and crashes.

use crate::support::*;
use proptest::prelude::*;
use weir_storage::{FaultyDisk, LogConfig, Recovery};
use weir_types::Offset;

#[derive(Clone, Debug)]
enum Op {
    Append(usize),
    Sync,
    /// A sync that is begun, then more is appended, then it ends.
    SyncBeside(usize),
    Truncate(u8),
    AdvanceStart(u8),
    Reset(u8),
    PowerLoss,
    Kill,
    OrderlyStop,
    Full(usize),
    Rest,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1usize..6).prop_map(Op::Append),
        4 => Just(Op::Sync),
        2 => (1usize..4).prop_map(Op::SyncBeside),
        2 => any::<u8>().prop_map(Op::Truncate),
        1 => any::<u8>().prop_map(Op::AdvanceStart),
        1 => any::<u8>().prop_map(Op::Reset),
        2 => Just(Op::PowerLoss),
        1 => Just(Op::Kill),
        1 => Just(Op::OrderlyStop),
        1 => (0usize..200).prop_map(Op::Full),
        1 => Just(Op::Rest),
    ]
}

/// What the log must hold: from `start` on, one value a record.
struct Model {
    start: i64,
    base: i64,
    values: Vec<String>,
}

impl Model {
    fn end(&self) -> i64 {
        self.base + self.values.len() as i64
    }

    fn cut(&mut self, end: i64) {
        self.values.truncate((end - self.base).max(0) as usize);
    }

    fn visible(&self) -> &[String] {
        &self.values[(self.start - self.base).max(0) as usize..]
    }
}

struct Run {
    disk: FaultyDisk,
    config: LogConfig,
    node: Option<Node>,
    model: Model,
    appended: usize,
}

impl Run {
    fn node(&mut self) -> &mut Node {
        self.node.as_mut().expect("it runs between operations")
    }

    fn append(&mut self, count: usize) {
        self.appended += 1;
        let tag = format!("b{}", self.appended);
        let records = batch(&tag, count);
        if self
            .node()
            .log
            .append_as_leader(&records, EPOCH, NOW)
            .is_ok()
        {
            self.model
                .values
                .extend((0..count).map(|at| format!("{tag}-{at}")));
        }
    }

    fn check(&mut self) {
        let (start, end) = (self.model.start, self.model.end());
        let log = &self.node().log;
        assert_eq!((log.start().0, log.end().0), (start, end));
        assert!(log.durable_end() <= log.end());
        assert_eq!(values(&log.reader()), self.model.visible());
    }

    /// `durable`: what may not be lost.
    fn restart(&mut self, durable: i64) {
        let node = start(&self.disk, &self.config);
        let (end, unsynced_end) = (node.log.end().0, self.model.end());
        assert!(
            !matches!(node.recovery, Recovery::Damaged { .. }),
            "{:?}",
            node.recovery
        );
        assert!(
            end >= durable,
            "lost: {end} of {durable}, {:?}",
            node.recovery
        );
        assert!(end <= unsynced_end, "invented: {end} beyond {unsynced_end}");
        self.model.cut(end);
        self.model.start = self.model.start.min(end);
        assert_eq!(node.log.durable_end().0, end);
        self.node = Some(node);
    }

    fn crash(&mut self, crash: impl FnOnce(&FaultyDisk)) {
        let node = self.node.take().expect("it runs between operations");
        let durable = node.log.durable_end().0;
        drop(node);
        crash(&self.disk);
        self.restart(durable);
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Append(count) => self.append(count),
            Op::Sync => self.node().sync(),
            Op::SyncBeside(count) => {
                let job = self.node().log.begin_sync();
                self.append(count);
                if let Some(job) = job {
                    let upto = job.upto();
                    let end = self.node().log.finish_sync(job.run()).expect("it works");
                    assert!(end >= upto);
                }
            }
            Op::Truncate(part) => {
                let (base, end) = (self.model.start, self.model.end());
                let to = base + (end - base) * i64::from(part) / 255;
                self.node().log.truncate(Offset(to)).expect("it works");
                let cut = self.node().log.end().0;
                assert!(cut <= to && to - cut < 6);
                self.model.cut(cut);
                // The batch that holds the start may have gone as a whole.
                self.model.start = self.model.start.min(cut);
                // A cut is durable with all before it; where nothing is cut, nothing is synced.
                if cut < end {
                    assert_eq!(self.node().log.durable_end().0, cut);
                }
            }
            Op::AdvanceStart(part) => {
                let (base, durable) = (self.model.start, self.node().log.durable_end().0);
                let to = base + (durable - base).max(0) * i64::from(part) / 255;
                self.node().log.advance_start(Offset(to)).expect("it works");
                self.model.start = self.model.start.max(to);
            }
            Op::Reset(offset) => {
                let start = i64::from(offset);
                self.node().log.reset(Offset(start)).expect("it works");
                self.model = Model {
                    start,
                    base: start,
                    values: Vec::new(),
                };
            }
            Op::PowerLoss => self.crash(FaultyDisk::power_loss),
            Op::Kill => self.crash(FaultyDisk::kill),
            Op::OrderlyStop => {
                self.node.take().expect("it runs").stop();
                self.disk.power_loss();
                self.restart(self.model.end());
            }
            Op::Full(free) => {
                self.disk.set_free_bytes(Some(free as u64));
                self.append(3);
                self.disk.set_free_bytes(None);
            }
            Op::Rest => self.node().log.rest(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_durable_is_lost_and_nothing_is_invented(
        seed in any::<u64>(),
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let disk = FaultyDisk::new(seed);
        disk.set_short_writes(7);
        let config = LogConfig { segment_bytes: 600, ..small_segments() };
        let node = Some(start(&disk, &config));
        let model = Model { start: 0, base: 0, values: Vec::new() };
        let mut run = Run { disk, config, node, model, appended: 0 };
        for op in &ops {
            run.apply(op);
            run.check();
        }
    }
}
