//! The simulation finds what it should, finds nothing else, and is the same every time.

use weir_sim::{Options, Outcome, Plant, Stats, run};

fn options(plant: Plant) -> Options {
    Options {
        plant,
        ..Options::default()
    }
}

fn sound(seed: u64, options: Options) -> Outcome {
    let outcome = run(seed, options);
    if let Some(violation) = &outcome.violation {
        panic!("seed {seed}: {violation}");
    }
    outcome
}

/// The first of these seeds that finds the bug, and what it finds.
fn first_find(seeds: std::ops::Range<u64>, plant: Plant) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| {
        let violation = run(seed, options(plant)).violation?;
        Some((seed, violation.to_string()))
    })
}

#[test]
fn ten_seeds_keep_every_promise() {
    let mut sum = Stats::default();
    for seed in 1..=10 {
        sum += sound(seed, options(Plant::None)).stats;
    }
    assert!(
        sum.elections > 0 && sum.truncations > 0 && sum.torn_writes > 0,
        "{sum:?}"
    );
    assert!(sum.acknowledged > 10_000, "{sum:?}");
    assert!(sum.greatest_elected > 0, "{sum:?}");
    for (what, count) in sum.at_sync_points() {
        assert!(count > 0, "no {what}: {sum:?}");
    }
    assert!(
        sum.reassignments_completed > 10 && sum.reassignments_cancelled > 0 && sum.cordons > 0,
        "{sum:?}"
    );
}

#[test]
fn two_runs_of_a_seed_are_identical() {
    for seed in [3, 77] {
        let (first, second) = (
            sound(seed, Options::default()),
            sound(seed, Options::default()),
        );
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
        assert_eq!(first.stats, second.stats, "seed {seed}");
    }
    let (one, other) = (sound(3, Options::default()), sound(4, Options::default()));
    assert_ne!(one.trace_hash, other.trace_hash);
}

#[test]
fn acknowledging_before_the_sync_is_found() {
    let found = first_find(20..200, Plant::AckBeforeSync);
    let (seed, what) = found.expect("these seeds lose power often enough");
    println!("seed {seed}: {what}");
    let losses = ["acknowledged", "told acks=1", "logs match"];
    assert!(losses.iter().any(|loss| what.contains(loss)), "{what}");
}

#[test]
fn cutting_to_the_high_watermark_is_found() {
    let found = first_find(1..50, Plant::CutToHighWatermark);
    let (seed, what) = found.expect("leaders change often enough");
    println!("seed {seed}: {what}");
    assert!(
        what.contains("acknowledged") || what.contains("logs match"),
        "{what}"
    );
}

#[test]
fn leading_an_epoch_from_before_a_restart_is_found() {
    let found = first_find(1..100, Plant::LeadOldEpoch);
    assert!(found.is_some());
}

#[test]
fn switching_to_replicas_that_are_not_in_sync_is_found() {
    let found = first_find(1..50, Plant::SwitchUnsynced);
    let (seed, what) = found.expect("replicas are moved in every run");
    println!("seed {seed}: {what}");
    assert!(what.contains("acknowledged"), "{what}");
}

#[test]
fn electing_whoever_is_back_first_is_found() {
    let found = first_find(1..100, Plant::ElectFirstBack);
    let (seed, what) = found.expect("all brokers lose their power often enough");
    println!("seed {seed}: {what}");
    assert!(what.contains("greatest"), "{what}");
}
