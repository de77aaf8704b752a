//! One load curve and the group that meets it.

use crate::Assignor;

/// Times in seconds, rates in records a second.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// Not looked at while constants are chosen.
    pub held_out: bool,
    pub seed: u64,
    /// Arrivals of all partitions together, second by second.
    pub load: Vec<f64>,
    /// Partitions of each topic.
    pub topics: Vec<usize>,
    /// Share of the load of each partition, topics one after the other; scaled to a sum of one.
    pub weights: Vec<f64>,
    pub assignor: Assignor,
    pub eager: bool,
    pub min: u32,
    pub max: u32,
    pub drain_s: u64,
    pub initial_rate: f64,
    pub pod_rate: f64,
    /// From this second on, every pod does this part of its rate.
    pub slow: Option<(usize, f64)>,
    /// Between these seconds one pod does nothing, and then goes on.
    pub stuck: Option<(usize, usize)>,
    /// All pods together do no more than this.
    pub downstream: Option<f64>,
}

impl Scenario {
    /// The same curve with other noise, pods that start after other times and are of other speeds. Draw 0 is the
    /// curve itself.
    pub fn draw(&self, draw: u64) -> Self {
        Self {
            seed: self.seed + 1_000 * draw,
            ..self.clone()
        }
    }

    /// Twelve even partitions, cooperative, 1 to 12 pods of 100 records a second, a minute to drain.
    pub fn new(name: &'static str, seed: u64, load: Vec<f64>) -> Self {
        Self {
            name,
            held_out: false,
            seed,
            load,
            topics: vec![12],
            weights: vec![1.0; 12],
            assignor: Assignor::Sticky,
            eager: false,
            min: 1,
            max: 12,
            drain_s: 60,
            initial_rate: 100.0,
            pod_rate: 100.0,
            slow: None,
            stuck: None,
            downstream: None,
        }
    }

    pub fn eager(self, assignor: Assignor) -> Self {
        Self {
            assignor,
            eager: true,
            ..self
        }
    }

    pub fn topics(self, topics: Vec<usize>) -> Self {
        let weights = vec![1.0; topics.iter().sum()];
        Self {
            topics,
            weights,
            ..self
        }
    }

    /// One partition gets this many times the load of another.
    pub fn hot(mut self, partition: usize, times: f64) -> Self {
        self.weights[partition] = times;
        self
    }
}
