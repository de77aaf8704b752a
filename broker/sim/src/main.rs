//! `weir-sim`: many seeds, or one again.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use weir_sim::{Options, Plant, Stats, run};

/// Runs a simulated cluster under faults and checks that it keeps its promises.
#[derive(Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    start: u64,
    /// Client operations a seed.
    #[arg(long, default_value_t = 5000)]
    operations: u64,
    /// Faults a seed.
    #[arg(long, default_value_t = 20)]
    faults: u64,
    /// Replays this seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints what happens (with --seed).
    #[arg(long)]
    trace: bool,
    /// Puts a known bug back: ack-before-sync, cut-to-high-watermark, lead-old-epoch,
    /// switch-unsynced.
    #[arg(long, default_value = "none")]
    plant: Plant,
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

/// What the threads share.
#[derive(Default)]
struct Progress {
    next: AtomicU64,
    failed: AtomicBool,
    sum: Mutex<(Stats, u64)>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let (start, seeds) = args.seed.map_or((args.start, args.seeds), |seed| (seed, 1));
    let progress = Progress::default();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..args.threads.clamp(1, seeds.max(1)) {
            scope.spawn(|| work(&args, start, seeds, &progress));
        }
    });
    let failed = progress.failed.load(Ordering::Relaxed);
    let (stats, done) = *progress.sum.lock().unwrap_or_else(PoisonError::into_inner);
    println!("seeds: {done} in {:.1} s", began.elapsed().as_secs_f64());
    for (title, count) in stats.rows() {
        println!("{title}: {count}");
    }
    let blind = [
        ("elections", stats.elections),
        ("truncations", stats.truncations),
        ("torn writes", stats.torn_writes),
        ("completed reassignments", stats.reassignments_completed),
        ("cancelled reassignments", stats.reassignments_cancelled),
    ];
    let blind = blind.into_iter().chain(stats.at_sync_points());
    let mut good = !failed;
    for (what, _) in blind.filter(|(_, count)| *count == 0 && args.seed.is_none()) {
        println!("no {what} in any run: the simulation proves nothing about them");
        good = false;
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn work(args: &Args, start: u64, seeds: u64, progress: &Progress) {
    let options = Options {
        operations: args.operations,
        faults: args.faults,
        plant: args.plant,
        trace: args.trace && args.seed.is_some(),
    };
    loop {
        let index = progress.next.fetch_add(1, Ordering::Relaxed);
        if index >= seeds || progress.failed.load(Ordering::Relaxed) {
            return;
        }
        let seed = start + index;
        let outcome = run(seed, options);
        if let Some(violation) = &outcome.violation {
            progress.failed.store(true, Ordering::Relaxed);
            println!("seed {seed}: {violation}");
            println!(
                "replay: weir-sim --seed {seed} --operations {} --faults {} --plant {} --trace",
                args.operations, args.faults, args.plant
            );
        }
        let mut sum = progress.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.0 += outcome.stats;
        sum.1 += 1;
    }
}
