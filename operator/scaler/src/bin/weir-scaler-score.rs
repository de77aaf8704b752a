//! Prints the score of the consumer scaler beside the lag-threshold formula as Markdown; fails when a goal is missed.
//! `--tuning` leaves the held-out curves alone, `--draws N` takes another number of draws than seven, `--beside N` takes one
//! threshold alone, `--trace NAME` shows each change on one curve in its first draw.

use std::process::ExitCode;

use weir_scaler::sim::{Comparison, Scenario, THRESHOLDS, held_out, measure, trace_weir, tuning};

const DRAWS: u64 = 7;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut curves = tuning();
    let mut draws = DRAWS;
    let mut beside: Option<u64> = None;
    let mut with_held_out = true;
    while let Some(argument) = arguments.next() {
        let value = match argument.as_str() {
            "--tuning" => {
                with_held_out = false;
                continue;
            }
            "--draws" | "--beside" | "--trace" => arguments.next(),
            _ => None,
        };
        match (argument.as_str(), value) {
            ("--draws", Some(number)) => draws = number.parse().unwrap_or(DRAWS).max(1),
            ("--beside", Some(number)) => beside = number.parse().ok(),
            ("--trace", Some(name)) => {
                let all = curves.into_iter().chain(held_out());
                all.filter(|curve| curve.name == name)
                    .for_each(|curve| trace(&curve));
                return ExitCode::SUCCESS;
            }
            _ => {
                eprintln!(
                    "usage: weir-scaler-score [--tuning] [--draws N] [--beside N] [--trace NAME]"
                );
                return ExitCode::FAILURE;
            }
        }
    }
    if with_held_out {
        curves.extend(held_out());
    }
    let thresholds = beside.map_or(THRESHOLDS.to_vec(), |threshold| vec![threshold]);
    let comparison = Comparison {
        draws,
        rows: measure(&curves, draws, &thresholds),
        thresholds,
    };
    let best = comparison.best();
    println!("{}\n{}", comparison.grid(), comparison.markdown(best));
    let missed = comparison.missed(best);
    missed.iter().for_each(|goal| println!("- missed: {goal}"));
    if missed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn trace(scenario: &Scenario) {
    let mut last = String::new();
    let score = trace_weir(scenario, |seen, decision| {
        let name = decision.reason.name();
        if decision.replicas != seen.replicas || name != last {
            println!(
                "{:>6} {name:>16} needed {} cap {} {}",
                (seen.at_ms - 1_000_000_000) / 1_000,
                decision.inputs.needed,
                decision.inputs.cap,
                decision.message
            );
            name.clone_into(&mut last);
        }
    });
    println!("{score:?}");
}
