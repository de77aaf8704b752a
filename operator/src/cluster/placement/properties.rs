//! What holds for every plan of every map.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Up to eight brokers in up to three racks, up to forty partitions of up to four replicas, some
/// not in sync, some being moved.
fn maps() -> impl Strategy<Value = ReplicaMap> {
    let member = (0..3u8, prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    let members = prop::collection::vec((member, any::<bool>()), 1..8);
    let partition = (
        prop::collection::vec(0..1000u32, 1..5),
        0..5000u64,
        0..16u8,
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.05),
    );
    let partitions = prop::collection::vec(partition, 0..40);
    (members, partitions, any::<bool>()).prop_map(|(members, partitions, racks)| {
        let members: BTreeMap<i32, Member> = (0..)
            .zip(members)
            .map(|(id, ((rack, fenced, cordoned), _))| {
                let rack = racks.then(|| rack.to_string());
                let member = Member {
                    id,
                    rack,
                    fenced,
                    cordoned,
                };
                (id, member)
            })
            .collect();
        let count = u32::try_from(members.len()).expect("few");
        let partitions = (0..).zip(partitions);
        let partitions = partitions
            .map(|(index, (picks, size, late, moving, led))| {
                let mut replicas: Vec<i32> = Vec::new();
                for pick in picks {
                    let id = i32::try_from(pick % count).expect("small");
                    if !replicas.contains(&id) {
                        replicas.push(id);
                    }
                }
                let kept = |at: &usize| late & (1 << at) == 0 || late % 3 == 0;
                let isr: Vec<i32> = (0..replicas.len())
                    .filter(kept)
                    .map(|at| replicas[at])
                    .collect();
                Partition {
                    topic: format!("t{}", index % 5),
                    index,
                    leader: isr.first().copied().filter(|_| !led),
                    adding: replicas
                        .last()
                        .copied()
                        .filter(|_| moving)
                        .into_iter()
                        .collect(),
                    min_isr: replicas.len().div_ceil(2),
                    replicas,
                    isr,
                    removing: Vec::new(),
                    bytes: size << 20,
                }
            })
            .collect();
        ReplicaMap {
            partitions,
            members,
        }
    })
}

/// Every proposal a planner makes of the map.
fn proposals(map: &ReplicaMap) -> Vec<Proposal> {
    let moods = [Mood::Resting, Mood::Running];
    let mut all: Vec<Proposal> = Vec::new();
    for mood in moods {
        all.extend([spread(map, mood), leaders(map, mood), disk(map, mood)]);
    }
    for id in map.members.keys() {
        all.extend(drain(map, *id, Why::Leaving));
        all.extend(drain(map, *id, Why::Lost));
    }
    all
}

fn partition<'a>(map: &'a ReplicaMap, of: &Reassignment) -> &'a Partition {
    let mut all = map.partitions.iter();
    all.find(|p| p.topic == of.topic && p.index == of.index)
        .expect("it is of the map")
}

/// The map once the moves have been made.
fn after(map: &ReplicaMap, proposal: &Proposal) -> ReplicaMap {
    let mut map = map.clone();
    for one in &proposal.moves {
        let found = map.partitions.iter_mut();
        for partition in found.filter(|p| p.topic == one.topic && p.index == one.index) {
            let added = one.to.iter().filter(|b| !partition.replicas.contains(b));
            let added: Vec<i32> = added.copied().collect();
            partition.isr.retain(|b| one.to.contains(b));
            partition.isr.extend(added);
            partition.replicas.clone_from(&one.to);
        }
    }
    map
}

fn counts(map: &ReplicaMap) -> Vec<usize> {
    let on = |id: i32| {
        map.partitions
            .iter()
            .filter(move |p| p.replicas.contains(&id))
    };
    map.takers().map(|m| on(m.id).count()).collect()
}

fn range(counts: &[usize]) -> usize {
    let (least, most) = (counts.iter().min(), counts.iter().max());
    most.copied().unwrap_or(0) - least.copied().unwrap_or(0)
}

proptest! {
    #[test]
    fn moves_are_safe_wherever_they_go(map in maps()) {
        for proposal in proposals(&map) {
            let mut seen = BTreeSet::new();
            for one in &proposal.moves {
                let partition = partition(&map, one);
                prop_assert!(seen.insert((one.topic.clone(), one.index)), "moved twice");
                prop_assert!(!partition.is_moving(), "moves already");
                prop_assert_eq!(&one.from, &partition.replicas);
                prop_assert_eq!(one.to.len(), partition.replicas.len(), "replication factor");
                let distinct: BTreeSet<&i32> = one.to.iter().collect();
                prop_assert_eq!(distinct.len(), one.to.len(), "a broker twice");
                let added: Vec<&i32> =
                    one.to.iter().filter(|b| !one.from.contains(b)).collect();
                for broker in &added {
                    prop_assert!(map.members[broker].takes_replicas(), "onto a closed broker");
                }
                let kept = partition.isr.iter().filter(|b| one.to.contains(b)).count();
                let worse = kept < partition.isr.len();
                let enough = kept + added.len() >= partition.min_isr;
                prop_assert!(enough || !worse, "below min ISR");
            }
        }
    }

    #[test]
    fn a_plan_is_the_same_every_time(map in maps()) {
        prop_assert_eq!(proposals(&map), proposals(&map));
    }

    #[test]
    fn racks_are_lost_only_where_a_broker_must_go(map in maps()) {
        for mood in [Mood::Resting, Mood::Running] {
            for proposal in [spread(&map, mood), disk(&map, mood), leaders(&map, mood)] {
                for one in &proposal.moves {
                    prop_assert!(map.racks(&one.to) >= map.racks(&one.from));
                }
            }
        }
    }

    #[test]
    fn a_drained_broker_keeps_only_what_waits(map in maps()) {
        for id in map.members.keys() {
            let Ok(proposal) = drain(&map, *id, Why::Leaving) else { continue };
            let after = after(&map, &proposal);
            for partition in &after.partitions {
                if partition.replicas.contains(id) {
                    let waits = proposal.waiting.contains(&partition.name());
                    let closed = map.takers().all(|m| partition.is_on(m.id) || m.id == *id);
                    prop_assert!(waits || partition.is_moving() || closed);
                }
            }
        }
    }

    #[test]
    fn spreading_ends_within_one_and_then_rests(map in maps()) {
        let mut map = map;
        for member in map.members.values_mut() {
            member.rack = None;
        }
        for partition in &mut map.partitions {
            partition.adding.clear();
            partition.isr.clone_from(&partition.replicas);
            partition.leader = partition.replicas.first().copied();
        }
        let proposal = spread(&map, Mood::Running);
        let even = after(&map, &proposal);
        prop_assert!(range(&counts(&even)) <= 1, "{:?}", counts(&even));
        prop_assert!(spread(&even, Mood::Running).is_empty());
        // No replica moves that could have stayed: what leaves the fullest is what was too much.
        let moved = proposal.moves.iter().map(|m| {
            m.to.iter().filter(|b| !m.from.contains(b)).count()
        }).sum::<usize>();
        let total: usize = counts(&map).iter().sum();
        let floor = total / counts(&map).len().max(1);
        let least: usize = counts(&map).iter().map(|n| floor.saturating_sub(*n)).sum();
        let most: usize = counts(&map).iter().map(|n| n.saturating_sub(floor)).sum();
        prop_assert!(moved >= least && moved <= most, "{} of {} to {}", moved, least, most);
    }

    #[test]
    fn evening_out_leaders_copies_nothing_and_rests(map in maps()) {
        let proposal = leaders(&map, Mood::Resting);
        prop_assert_eq!(proposal.bytes(), 0);
        let even = after(&map, &proposal);
        let again = leaders(&even, Mood::Resting);
        prop_assert!(again.is_empty() || proposal.is_empty() || again.moves.len() < 40);
        for one in &proposal.moves {
            let (mut from, mut to) = (one.from.clone(), one.to.clone());
            from.sort_unstable();
            to.sort_unstable();
            prop_assert_eq!(from, to);
        }
    }

    #[test]
    fn evening_out_disks_never_makes_the_fullest_fuller(map in maps()) {
        let held = |map: &ReplicaMap| {
            let tally = super::tally::Tally::new(map);
            map.takers().map(|m| tally.bytes(m.id)).max().unwrap_or(0)
        };
        let proposal = disk(&map, Mood::Resting);
        let even = after(&map, &proposal);
        prop_assert!(held(&even) <= held(&map));
        prop_assert!(range(&counts(&even)) <= range(&counts(&map)).max(1));
    }
}
