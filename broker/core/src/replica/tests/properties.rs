use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append(i64),
    Sync,
    Has(u8, i64),
    Report(u8, i64),
    Commit,
    Refuse(u8),
    Restart(u8),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..20_i64).prop_map(Step::Append),
        Just(Step::Sync),
        (0..2_u8, 0..30_i64).prop_map(|(f, behind)| Step::Has(f, behind)),
        (0..2_u8, 0..30_i64).prop_map(|(f, behind)| Step::Report(f, behind)),
        Just(Step::Commit),
        (0..3_u8).prop_map(Step::Refuse),
        (0..2_u8).prop_map(Step::Restart),
        (0..20_000_i64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..120)
}

/// The leader with an idealised quorum and two followers; checks what each step did.
struct Model {
    f: Fixture,
    members: Membership,
    asked: Option<(PartitionEpoch, Vec<BrokerId>)>,
    /// What followers have durably, whatever the leader knows of it.
    durable: [i64; 2],
    high: i64,
}

impl Model {
    fn new() -> Self {
        let members = membership(Some(ME), (5, 7), &[ME, TWO]);
        let f = Fixture::leading(0, &[ME, TWO]);
        Self {
            f,
            members,
            asked: None,
            durable: [0, 0],
            high: 0,
        }
    }

    fn run(&mut self, step: &Step) {
        let end = self.f.replica.log().end.0;
        let commands = match *step {
            Step::Append(count) => self.f.append(end + count),
            Step::Sync => self.f.sync(end),
            Step::Has(i, behind) => {
                let to = self.durable[usize::from(i)].max(end - behind);
                self.durable[usize::from(i)] = to;
                self.report(i, to, to)
            }
            Step::Report(i, behind) => {
                let durable = self.durable[usize::from(i)];
                self.report(i, durable.max(end - behind), durable)
            }
            Step::Commit => self.commit(),
            Step::Refuse(how) => self.refuse(how),
            Step::Restart(i) => {
                self.members.live[usize::from(i) + 1].1.0 += 1;
                self.f.step(Event::Metadata(self.members.clone()))
            }
            Step::Wait(ms) => self.f.after(ms, Event::Tick),
        };
        self.note(&commands);
        self.check(&commands);
    }

    fn report(&mut self, i: u8, fetched: i64, durable: i64) -> Vec<Command> {
        let (follower, epoch) = self.members.live[usize::from(i) + 1];
        let fetch_offset = Offset(fetched);
        let mut out = self.f.step(Event::FollowerFetched {
            follower,
            epoch,
            fetch_offset,
        });
        self.note(&out);
        let durable_end = Offset(durable);
        out.extend(self.f.step(Event::FollowerDurable {
            follower,
            epoch,
            durable_end,
        }));
        out
    }

    fn commit(&mut self) -> Vec<Command> {
        let Some((base, isr)) = self.asked.take() else {
            return Vec::new();
        };
        if base != self.members.partition_epoch {
            return self.f.step(refused(base.0, IsrRefused::Stale));
        }
        self.members.partition_epoch.0 += 1;
        self.members.isr.clone_from(&isr);
        self.f.step(committed(self.members.partition_epoch.0, &isr))
    }

    fn refuse(&mut self, how: u8) -> Vec<Command> {
        let Some((base, _)) = &self.asked else {
            return Vec::new();
        };
        let base = base.0;
        if how == 0 {
            // Not known: it may be taken later.
            return self.f.step(refused(base, IsrRefused::Unknown));
        }
        self.asked = None;
        let reason = [IsrRefused::Ineligible, IsrRefused::Stale][usize::from(how) - 1];
        if reason == IsrRefused::Stale {
            self.members.partition_epoch.0 += 1;
            let mut out = self.f.step(refused(base, reason));
            out.extend(self.f.step(Event::Metadata(self.members.clone())));
            return out;
        }
        self.f.step(refused(base, reason))
    }

    fn note(&mut self, commands: &[Command]) {
        for command in commands {
            if let Command::ProposeIsr {
                partition_epoch,
                isr,
                ..
            } = command
            {
                let ids = isr.iter().map(|(id, _)| *id).collect();
                self.asked.get_or_insert((*partition_epoch, ids));
            }
        }
    }

    fn check(&mut self, commands: &[Command]) {
        let hw = self.f.hw();
        assert!(
            hw >= self.high,
            "the high watermark went back from {} to {hw}",
            self.high
        );
        self.high = hw;
        assert!(
            hw <= self.f.replica.log().durable_end.0,
            "ahead of the leader's disk"
        );
        for (i, follower) in [TWO, THREE].into_iter().enumerate() {
            if self.members.isr.contains(&follower) {
                assert!(
                    hw <= self.durable[i],
                    "ahead of {follower}, which is in sync"
                );
            }
        }
        let rose = commands
            .iter()
            .any(|c| matches!(c, Command::HighWatermark { .. }));
        assert!(
            !rose || self.members.isr.len() >= 2,
            "rose under the minimum"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_high_watermark_never_passes_what_an_electable_replica_has(steps in steps()) {
        let mut model = Model::new();
        for step in &steps {
            model.run(step);
        }
    }
}
