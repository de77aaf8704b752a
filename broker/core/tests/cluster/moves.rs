//! Reassignments, cordons, stops and failures in any order.

use proptest::prelude::*;
use weir_core::cluster::ClusterCommand as C;
use weir_types::BrokerId;

use super::support::{Cluster, P0, ids};

#[derive(Clone, Debug)]
enum Step {
    Go(Vec<i32>),
    Cancel,
    Fence(i32),
    Start(i32),
    Stop(i32),
    Allow(i32),
    Cordon(i32, bool),
    Grow,
    Shrink(usize),
    Preferred,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let broker = 0..5i32;
    let target = Just((0..5).collect::<Vec<i32>>())
        .prop_shuffle()
        .prop_flat_map(|all| (1..4usize).prop_map(move |n| all[..n].to_vec()));
    let step = prop_oneof![
        3 => target.prop_map(Step::Go),
        1 => Just(Step::Cancel),
        2 => broker.clone().prop_map(Step::Fence),
        3 => broker.clone().prop_map(Step::Start),
        1 => broker.clone().prop_map(Step::Stop),
        1 => broker.clone().prop_map(Step::Allow),
        1 => (broker, any::<bool>()).prop_map(|(b, on)| Step::Cordon(b, on)),
        4 => Just(Step::Grow),
        1 => (1..4usize).prop_map(Step::Shrink),
        1 => Just(Step::Preferred),
    ];
    prop::collection::vec(step, 1..80)
}

fn take(c: &mut Cluster, step: &Step, draw: u128) {
    match step {
        Step::Go(target) => drop(c.reassign(P0, Some(target))),
        Step::Cancel => drop(c.cancel()),
        Step::Fence(id) => c.fence(*id),
        Step::Start(id) => c.start(*id, draw),
        Step::Stop(id) => {
            let (broker, epoch) = (BrokerId(*id), c.epoch(*id));
            c.ok(C::BeginStop { broker, epoch });
        }
        Step::Allow(id) => {
            let (broker, epoch) = (BrokerId(*id), c.epoch(*id));
            c.ok(C::AllowLeaders { broker, epoch });
        }
        Step::Cordon(id, cordoned) => {
            let (broker, cordoned) = (BrokerId(*id), *cordoned);
            c.ok(C::SetCordon { broker, cordoned });
        }
        Step::Grow | Step::Shrink(_) => {
            let p = c.p0().clone();
            let Some(leader) = p.leader else { return };
            let fit = |b: &&BrokerId| {
                let broker = &c.0.brokers[*b];
                !broker.fenced && (!broker.stopping || p.isr.contains(b))
            };
            let mut isr = ids(&p.replicas.iter().filter(fit).copied().collect::<Vec<_>>());
            if let Step::Shrink(keep) = step {
                isr.retain(|b| p.isr.contains(&BrokerId(*b)) && *b != leader.0);
                isr.truncate(keep - 1);
                isr.push(leader.0);
            }
            drop(c.alter_isr(&isr));
        }
        Step::Preferred => {
            c.ok(C::ElectPreferred { partitions: None });
        }
    }
}

proptest! {
    #[test]
    fn members_are_replicas_and_somebody_always_has_everything(
        steps in steps(),
        min_isr in 1..4usize,
    ) {
        let mut c = Cluster::of(5);
        c.create(1, 3, min_isr);
        for (draw, step) in (1000_u128..).zip(&steps) {
            let before = c.p0().clone();
            let moved_before = c.under_way().cloned();
            take(&mut c, step, draw * 7);
            let p = c.p0();
            let members = p.isr.iter().chain(&p.elr);
            prop_assert!(members.clone().all(|b| p.replicas.contains(b)), "{step:?}: {p:?}");
            prop_assert!(members.count() > 0, "{step:?}: {p:?}");
            if let Some(leader) = p.leader {
                prop_assert!(p.isr.contains(&leader) && c.0.is_live(leader), "{step:?}: {p:?}");
            }
            prop_assert!(p.leader_epoch >= before.leader_epoch);
            if p.leader != before.leader && p.leader.is_some() {
                prop_assert!(p.leader_epoch > before.leader_epoch);
            }
            if *p != before {
                prop_assert!(p.partition_epoch > before.partition_epoch, "{step:?}");
            }
            let survivor = before.isr.iter().chain(&before.elr).any(|b| p.replicas.contains(b));
            let joined = matches!(step, Step::Grow);
            prop_assert!(survivor || joined, "{step:?}: nobody who had everything is left");
            match (c.under_way(), moved_before) {
                (Some(moving), _) => {
                    let mut all = moving.target.clone();
                    all.extend(moving.removing());
                    prop_assert_eq!(&p.replicas, &all);
                }
                (None, Some(moving)) if !matches!(step, Step::Cancel | Step::Go(_)) => {
                    prop_assert_eq!(&p.replicas, &moving.target);
                    prop_assert!(moving.target.iter().all(|b| p.isr.contains(b)));
                }
                _ => {}
            }
        }
    }
}
