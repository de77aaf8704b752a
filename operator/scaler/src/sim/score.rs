//! Scores over several draws of each curve.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::model::Score;
use super::run::{run_rival, run_weir};
use super::scenario::Scenario;

/// Of one curve: the sums over its draws.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: &'static str,
    pub held_out: bool,
    pub weir: Score,
    /// By threshold, in the order of [`super::THRESHOLDS`].
    pub rival: Vec<Score>,
}

/// Runs every curve `draws` times with Weir's scaler and with the rival at each of `thresholds`, on all processors.
pub fn measure(set: &[Scenario], draws: u64, thresholds: &[u64]) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut rows = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = set.get(index) else {
                return rows;
            };
            rows.push((index, row(scenario, draws, thresholds)));
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut rows: Vec<(usize, Row)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a run does not panic"))
            .collect()
    });
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn row(scenario: &Scenario, draws: u64, thresholds: &[u64]) -> Row {
    let draws: Vec<Scenario> = (0..draws).map(|draw| scenario.draw(draw)).collect();
    Row {
        name: scenario.name,
        held_out: scenario.held_out,
        weir: total(draws.iter().map(run_weir)),
        rival: thresholds
            .iter()
            .map(|&threshold| total(draws.iter().map(|draw| run_rival(draw, threshold))))
            .collect(),
    }
}

pub fn total(scores: impl IntoIterator<Item = Score>) -> Score {
    scores
        .into_iter()
        .fold(Score::default(), |sum, score| Score {
            over_s: sum.over_s + score.over_s,
            pod_s: sum.pod_s + score.pod_s,
            rebalances: sum.rebalances + score.rebalances,
        })
}
