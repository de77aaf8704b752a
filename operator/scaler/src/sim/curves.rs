//! Load curves, second by second. All are made up; those called recorded follow shapes that are often published
//! (an office day, a night's batch, a match, a shop's sale, devices that report on the hour), not real recordings.

use std::f64::consts::TAU;

use super::rng::Rng;

const HOUR: usize = 3_600;

pub fn flat(seconds: usize, rate: f64) -> Vec<f64> {
    vec![rate; seconds]
}

/// Each rate for its time.
pub fn steps(parts: &[(usize, f64)]) -> Vec<f64> {
    parts
        .iter()
        .flat_map(|(seconds, rate)| flat(*seconds, *rate))
        .collect()
}

/// From rate to rate, straight.
pub fn ramps(from: f64, parts: &[(usize, f64)]) -> Vec<f64> {
    let mut last = from;
    let mut load = Vec::new();
    for (seconds, to) in parts {
        load.extend((0..*seconds).map(|at| last + (to - last) * at as f64 / *seconds as f64));
        last = *to;
    }
    load
}

/// A burst of `length` every `period`.
pub fn bursts(seconds: usize, low: f64, high: f64, period: usize, length: usize) -> Vec<f64> {
    let quiet = period - length;
    (0..seconds)
        .map(|at| if at % period < quiet { low } else { high })
        .collect()
}

/// Bursts at any time, of any size and length.
pub fn random_bursts(seconds: usize, low: f64, high: f64, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    let mut load = Vec::new();
    while load.len() < seconds {
        let quiet = rng.between(200.0, 1_500.0) as usize;
        load.extend(flat(quiet, low * rng.between(0.8, 1.2)));
        let length = rng.between(20.0, 240.0) as usize;
        load.extend(flat(length, rng.between(low, high)));
    }
    load.truncate(seconds);
    load
}

/// A day: a sine with its peak after noon, and spikes.
pub fn day(low: f64, high: f64, spikes: usize, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    let wave = |at: usize| (1.0 - (TAU * (at as f64 / (24 * HOUR) as f64 - 0.08)).cos()) / 2.0;
    let mut load: Vec<f64> = (0..24 * HOUR)
        .map(|at| low + (high - low) * wave(at))
        .collect();
    for _ in 0..spikes {
        let at = rng.between(0.0, (24 * HOUR - 600) as f64) as usize;
        let length = rng.between(30.0, 300.0) as usize;
        let more = rng.between(0.2, 0.6) * high;
        load[at..at + length]
            .iter_mut()
            .for_each(|rate| *rate += more);
    }
    load
}

/// An office day in ten hours: steep in the morning, a dip at noon, gone in the evening.
pub fn office(high: f64) -> Vec<f64> {
    let part = high / 10.0;
    ramps(
        part,
        &[
            (HOUR, part),
            (HOUR, 9.0 * part),
            (2 * HOUR, 10.0 * part),
            (HOUR / 2, 6.0 * part),
            (HOUR / 2, 6.0 * part),
            (HOUR / 2, 9.0 * part),
            (2 * HOUR, 8.0 * part),
            (HOUR, 2.0 * part),
            (HOUR, part),
        ],
    )
}

/// A night's batch: next to nothing, then files by the full hour, each a wall of records.
pub fn batch(seconds: usize, quiet: f64, wall: f64) -> Vec<f64> {
    (0..seconds)
        .map(|at| {
            if at % HOUR < 90 && at >= HOUR {
                wall
            } else {
                quiet
            }
        })
        .collect()
}

/// A match: slowly fuller, a peak at each half, a steep end.
pub fn game(high: f64) -> Vec<f64> {
    ramps(
        high * 0.1,
        &[
            (1_800, high * 0.3),
            (300, high * 0.8),
            (2_700, high * 0.7),
            (60, high),
            (900, high * 0.9),
            (120, high * 0.7),
            (2_700, high * 0.75),
            (60, high),
            (600, high * 0.4),
            (1_800, high * 0.1),
        ],
    )
}

/// A sale: a wall at the opening that decays over two hours.
pub fn sale(low: f64, high: f64) -> Vec<f64> {
    let mut load = flat(1_800, low);
    load.extend((0..2 * HOUR).map(|at| low + (high - low) * (-(at as f64) / 1_500.0).exp()));
    load.extend(flat(1_800, low));
    load
}

/// Devices that report every quarter of an hour, not all at once.
pub fn reports(seconds: usize, low: f64, high: f64) -> Vec<f64> {
    let bump = |at: usize| {
        let off = (at % 900) as f64 - 450.0;
        (-(off / 80.0) * (off / 80.0)).exp()
    };
    (0..seconds)
        .map(|at| low + (high - low) * bump(at))
        .collect()
}
