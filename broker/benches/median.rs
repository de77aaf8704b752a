//! The median time of a small piece of work.

use std::time::{Duration, Instant};

/// What one measurement may take, warming up included.
const SPENT_MAX: Duration = Duration::from_secs(3);
const RUNS: usize = 21;

pub fn heading() {
    println!("{:<44} {:>12} {:>12}", "", "median", "per second");
}

/// Prints the median over [`RUNS`] runs of one call of `work`. A run has as many calls as fit
/// into its share of the time: single calls are too short for the clock.
pub fn measure(what: &str, mut work: impl FnMut()) {
    let share = SPENT_MAX / (RUNS as u32 + 1);
    let began = Instant::now();
    let mut calls = 0_u32;
    while began.elapsed() < share {
        work();
        calls += 1;
    }
    let mut runs: Vec<f64> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            (0..calls).for_each(|_| work());
            began.elapsed().as_secs_f64() / f64::from(calls)
        })
        .collect();
    runs.sort_unstable_by(f64::total_cmp);
    let median = runs[RUNS / 2];
    println!("{what:<44} {:>9.2} µs {:>12.0}", median * 1e6, 1.0 / median);
}
