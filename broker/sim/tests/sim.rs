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
    assert!(
        what.contains("acknowledged") || what.contains("logs match"),
        "{what}"
    );
}

#[test]
fn cutting_to_the_high_watermark_is_found() {
    let found = first_find(1..50, Plant::CutToHighWatermark);
    assert!(found.is_some_and(|(_, what)| what.contains("acknowledged")));
}

#[test]
fn leading_an_epoch_from_before_a_restart_is_found() {
    let found = first_find(1..100, Plant::LeadOldEpoch);
    assert!(found.is_some());
}
