//! Weir's scores beside the rival's, and the goals.

use std::fmt::Write;

use super::model::Score;
use super::score::{Row, total};

/// Candidates for the rival's `lagThreshold`, records.
pub const THRESHOLDS: [u64; 20] = [
    1, 5, 10, 15, 25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 700, 1_000, 1_500, 2_500, 4_000,
    6_000,
];

/// The rule's grid begins here; lower ones are measured to be shown. What a group that keeps up has not committed yet
/// already asks for all pods there, so that the formula becomes a fixed count, and the product has its least at the
/// lowest of them, whichever that is.
const GRID_FROM: u64 = 25;

/// On one curve a difference of the means smaller than this is none: a few seconds over target, two rebalances, a
/// pod for two minutes.
const FLOOR: Score = Score {
    over_s: 15,
    pod_s: 120,
    rebalances: 2,
};

#[derive(Clone, Debug)]
pub struct Comparison {
    pub draws: u64,
    pub thresholds: Vec<u64>,
    pub rows: Vec<Row>,
}

impl Comparison {
    /// Index of the rival's best threshold on the tuning set: the least product of its three totals, since the goals
    /// are ratios. Means over the draws, so that the one that is added says the same whatever their number.
    pub fn best(&self) -> usize {
        let product = |&at: &usize| {
            let (_, rival) = self.totals(at, |row| !row.held_out);
            let more = |sum: u64| u128::from(sum + self.draws);
            more(rival.over_s) * u128::from(rival.pod_s) * more(rival.rebalances)
        };
        (0..self.thresholds.len())
            .filter(|&at| self.thresholds[at] >= GRID_FROM)
            .min_by_key(product)
            .unwrap_or(0)
    }

    /// What was to be reached against the rival with one threshold and was not, in words; empty: all goals are met.
    /// Figures are means over the draws.
    pub fn missed(&self, at: usize) -> Vec<String> {
        let mut missed = Vec::new();
        let (weir, rival) = self.totals(at, |_| true);
        let of =
            |weir: u64, rival: u64| format!("{} against {}", self.mean(weir), self.mean(rival));
        if 2 * weir.over_s > rival.over_s {
            let of = of(weir.over_s, rival.over_s);
            missed.push(format!("half the time over target: {of} s"));
        }
        if 2 * weir.rebalances > rival.rebalances {
            let of = of(weir.rebalances, rival.rebalances);
            missed.push(format!("half the rebalances: {of}"));
        }
        if weir.pod_s > rival.pod_s {
            let of = of(weir.pod_s, rival.pod_s);
            missed.push(format!("no more pod-seconds: {of}"));
        }
        for row in &self.rows {
            let (weir, rival) = (row.weir, row.rival[at]);
            for (what, weir, rival, floor) in [
                (
                    "seconds over target",
                    weir.over_s,
                    rival.over_s,
                    FLOOR.over_s,
                ),
                ("pod-seconds", weir.pod_s, rival.pod_s, FLOOR.pod_s),
                (
                    "rebalances",
                    weir.rebalances,
                    rival.rebalances,
                    FLOOR.rebalances,
                ),
            ] {
                if weir * 10 > rival * 11 && weir > rival + floor * self.draws {
                    missed.push(format!("{}: {} {what}", row.name, of(weir, rival)));
                }
            }
        }
        missed
    }

    /// Sums over the draws.
    pub fn totals(&self, at: usize, of: impl Fn(&Row) -> bool) -> (Score, Score) {
        let rows = || self.rows.iter().filter(|row| of(row));
        (
            total(rows().map(|row| row.weir)),
            total(rows().map(|row| row.rival[at])),
        )
    }

    /// With one decimal where it says something.
    fn mean(&self, sum: u64) -> String {
        let tenths = (sum * 10 + self.draws / 2) / self.draws;
        if tenths >= 1_000 || tenths.is_multiple_of(10) {
            format!("{}", (tenths + 5) / 10)
        } else {
            format!("{}.{}", tenths / 10, tenths % 10)
        }
    }

    /// The rival's grid on the tuning set, and how the goals over all curves stand against each threshold.
    pub fn grid(&self) -> String {
        let mut text = String::from(
            "| lagThreshold | tuning: over target, s | pod-seconds | rebalances | all curves, Weir's part of the rival's: over target | pod-seconds | rebalances | curves more than 10 % worse |\n\
             |---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        let best = self.best();
        for (at, threshold) in self.thresholds.iter().enumerate() {
            let (_, tuning) = self.totals(at, |row| !row.held_out);
            let (weir, rival) = self.totals(at, |_| true);
            let part =
                |weir: u64, rival: u64| (weir as f64 / rival.max(1) as f64 * 100.0).round() / 100.0;
            let single = self.missed(at).len()
                - usize::from(2 * weir.over_s > rival.over_s)
                - usize::from(2 * weir.rebalances > rival.rebalances)
                - usize::from(weir.pod_s > rival.pod_s);
            let _ = writeln!(
                text,
                "| {threshold}{} | {} | {} | {} | {:.2} | {:.2} | {:.2} | {single} |",
                if at == best { " (the rule's)" } else { "" },
                self.mean(tuning.over_s),
                self.mean(tuning.pod_s),
                self.mean(tuning.rebalances),
                part(weir.over_s, rival.over_s),
                part(weir.pod_s, rival.pod_s),
                part(weir.rebalances, rival.rebalances),
            );
        }
        text
    }

    /// Every curve beside the rival with one threshold; means over the draws.
    pub fn markdown(&self, at: usize) -> String {
        let mut text = String::from(
            "| curve | over target, s: Weir | rival | pod-seconds: Weir | rival | rebalances: Weir | rival |\n\
             |---|---:|---:|---:|---:|---:|---:|\n",
        );
        let mut line = |name: &str, weir: Score, rival: Score| {
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {} | {} | {} |",
                self.mean(weir.over_s),
                self.mean(rival.over_s),
                self.mean(weir.pod_s),
                self.mean(rival.pod_s),
                self.mean(weir.rebalances),
                self.mean(rival.rebalances)
            );
        };
        for (title, held_out) in [("**tuning set**", false), ("**held out**", true)] {
            let rows = || self.rows.iter().filter(|row| row.held_out == held_out);
            if rows().next().is_none() {
                continue;
            }
            rows().for_each(|row| line(row.name, row.weir, row.rival[at]));
            let (weir, rival) = self.totals(at, |row| row.held_out == held_out);
            line(title, weir, rival);
        }
        let (weir, rival) = self.totals(at, |_| true);
        line("**together**", weir, rival);
        text
    }
}
