//! A consumer group in simulation, and the score of the scaler in it beside the lag-threshold formula.

mod comparison;
mod curves;
mod model;
mod rival;
mod rng;
mod run;
mod scenario;
mod score;
mod suite;

pub use comparison::{Comparison, THRESHOLDS};
pub use model::Score;
pub use run::{run_rival, run_weir, trace_weir};
pub use scenario::Scenario;
pub use score::{Row, measure, total};
pub use suite::{held_out, tuning};
