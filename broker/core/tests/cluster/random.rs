//! Elections under any order of events.

use proptest::prelude::*;
use weir_core::cluster::ClusterCommand as C;
use weir_types::BrokerId;

use super::support::Cluster;

#[derive(Clone, Debug)]
enum Step {
    Start(i32),
    LoseFolder(i32),
    Fence(i32),
    Stop(i32),
    Shrink(usize),
    Grow,
    Preferred,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let broker = 0..4i32;
    let step = prop_oneof![
        broker.clone().prop_map(Step::Start),
        broker.clone().prop_map(Step::LoseFolder),
        broker.clone().prop_map(Step::Fence),
        broker.prop_map(Step::Stop),
        (1..4usize).prop_map(Step::Shrink),
        Just(Step::Grow),
        Just(Step::Preferred),
    ];
    prop::collection::vec(step, 1..60)
}

fn take(cluster: &mut Cluster, step: &Step, draw: u128) {
    match step {
        Step::Start(id) => cluster.start(*id, draw),
        Step::LoseFolder(id) => {
            cluster.fence(*id);
            cluster.register(*id, draw, draw + 1000);
            // Whoever starts it next finds the old folder: only the registry matters here.
        }
        Step::Fence(id) => cluster.fence(*id),
        Step::Stop(id) => {
            let epoch = cluster.epoch(*id);
            cluster.ok(C::BeginStop {
                broker: BrokerId(*id),
                epoch,
            });
        }
        Step::Shrink(keep) => {
            let p = cluster.p0().clone();
            let Some(leader) = p.leader else { return };
            let rest = p.isr.iter().filter(|b| **b != leader).take(keep - 1);
            let isr: Vec<i32> = std::iter::once(&leader).chain(rest).map(|b| b.0).collect();
            drop(cluster.alter_isr(&isr));
        }
        Step::Grow => {
            let p = cluster.p0().clone();
            let fit = |b: &&BrokerId| {
                let broker = &cluster.0.brokers[*b];
                !broker.fenced && (!broker.stopping || p.isr.contains(b))
            };
            let isr: Vec<i32> = p.replicas.iter().filter(fit).map(|b| b.0).collect();
            if p.leader.is_some() {
                drop(cluster.alter_isr(&isr));
            }
        }
        Step::Preferred => {
            cluster.ok(C::ElectPreferred { partitions: None });
        }
    }
}

proptest! {
    #[test]
    fn leaders_are_live_in_sync_and_epochs_only_grow(steps in steps(), min_isr in 1..4usize) {
        let mut cluster = Cluster::of(4);
        cluster.create(1, 3, min_isr);
        for (draw, step) in (1000_u128..).zip(&steps) {
            let before = cluster.p0().clone();
            take(&mut cluster, step, draw * 7);
            let p = cluster.p0();
            if let Some(leader) = p.leader {
                prop_assert!(cluster.0.is_live(leader), "{step:?}");
                prop_assert!(p.isr.contains(&leader), "{step:?}: {p:?}");
                prop_assert!(p.isr.iter().all(|b| cluster.0.is_live(*b)), "{step:?}: {p:?}");
            }
            prop_assert!(p.elr.iter().all(|b| !p.isr.contains(b)));
            prop_assert!(p.elr.is_empty() || p.isr.len() < min_isr);
            prop_assert!(p.leader_epoch >= before.leader_epoch);
            if p.leader != before.leader && p.leader.is_some() {
                prop_assert!(p.leader_epoch > before.leader_epoch);
            }
            if *p != before {
                prop_assert!(p.partition_epoch > before.partition_epoch);
            }
        }
    }
}
