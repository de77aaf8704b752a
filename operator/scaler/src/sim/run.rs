//! Runs a scaler over a curve.

use super::model::{Model, Score};
use super::rival::Rival;
use super::scenario::Scenario;
use crate::{Decision, Memory, NoCommit, Observation, Spec, decide};

/// Age of the brokers' figures.
const DELAY_S: usize = 1;

pub fn run_rival(scenario: &Scenario, threshold: u64) -> Score {
    let mut model = Model::new(scenario);
    let mut rival = Rival::new(scenario, threshold);
    for _ in 0..scenario.load.len() {
        model.step();
        let wanted = rival.decide(&model);
        if wanted != model.replicas() {
            model.scale(wanted, &[]);
        }
    }
    model.score
}

pub fn run_weir(scenario: &Scenario) -> Score {
    trace_weir(scenario, |_, _| {})
}

/// The same, showing each decision.
pub fn trace_weir(scenario: &Scenario, mut show: impl FnMut(&Observation, &Decision)) -> Score {
    let spec = Spec {
        min_replicas: scenario.min,
        max_replicas: scenario.max,
        drain_within_ms: scenario.drain_s * 1_000,
        initial_rate_per_pod: scenario.initial_rate,
        no_commit: NoCommit::Hold,
    };
    let mut model = Model::new(scenario);
    let mut memory = Memory::default();
    for _ in 0..scenario.load.len() {
        model.step();
        let seen = model.observe(DELAY_S);
        let decision = decide(&spec, &mut memory, &seen);
        show(&seen, &decision);
        if decision.replicas != model.replicas() {
            model.scale(decision.replicas, &decision.deletion_costs);
        }
    }
    model.score
}
