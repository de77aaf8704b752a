//! A consumer group in steps of one second: partitions, pods that start and stop, rebalances, commits.
//!
//! A pod takes 12 to 20 s to join; it commits every five seconds and when it gives partitions up. A rebalance begins
//! when a member joins or leaves, takes those in that come in its first half, and stops all members (eager, 6 s) or
//! those partitions that move (cooperative, 3 s).

mod consume;
mod observe;
mod rebalance;

use std::collections::VecDeque;

use super::rng::Rng;
use super::scenario::Scenario;
use crate::TopicPartition;

const RATE_WINDOW_S: usize = 10;

#[derive(Clone, Debug)]
struct Partition {
    id: TopicPartition,
    weight: f64,
    /// Part of a record that has arrived.
    carry: f64,
    end: u64,
    position: u64,
    committed: u64,
    /// The pod that has it.
    owner: Option<u64>,
    /// Moves in the rebalance that runs.
    paused: bool,
    /// End and committed offset of the last seconds, the newest last.
    history: VecDeque<(u64, u64)>,
}

#[derive(Clone, Debug)]
struct Worker {
    id: u64,
    created_s: usize,
    joins_s: usize,
    joined: bool,
    /// Of the common rate.
    speed: f64,
}

/// What a run costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Seconds in which a record was not committed for longer than `drainWithin`.
    pub over_s: u64,
    pub pod_s: u64,
    pub rebalances: u64,
}

#[derive(Clone, Debug)]
pub struct Model<'a> {
    scenario: &'a Scenario,
    rng: Rng,
    now_s: usize,
    partitions: Vec<Partition>,
    workers: Vec<Worker>,
    next_id: u64,
    replicas: u32,
    generation: i32,
    /// Until when a rebalance runs, and since when.
    rebalance: Option<(usize, usize)>,
    again: bool,
    /// The pod that gets stuck when its time comes: the oldest.
    stuck: Option<u64>,
    pub score: Score,
}

impl<'a> Model<'a> {
    /// Begins with the least pods, joined and caught up.
    pub fn new(scenario: &'a Scenario) -> Self {
        let sum: f64 = scenario.weights.iter().sum();
        let ids = scenario
            .topics
            .iter()
            .enumerate()
            .flat_map(|(topic, count)| {
                (0..*count).map(move |partition| TopicPartition {
                    topic: format!("t{topic}"),
                    partition: i32::try_from(partition).expect("few partitions"),
                })
            });
        let partitions = ids.zip(&scenario.weights).map(|(id, weight)| Partition {
            id,
            weight: weight / sum,
            carry: 0.0,
            end: 0,
            position: 0,
            committed: 0,
            owner: None,
            paused: false,
            history: VecDeque::new(),
        });
        let mut model = Self {
            scenario,
            rng: Rng::new(scenario.seed),
            now_s: 0,
            partitions: partitions.collect(),
            workers: Vec::new(),
            next_id: 0,
            replicas: 0,
            generation: 1,
            rebalance: None,
            again: false,
            stuck: None,
            score: Score::default(),
        };
        model.scale(scenario.min, &[]);
        for worker in &mut model.workers {
            worker.joined = true;
        }
        model.share_out();
        model
    }

    pub fn now_s(&self) -> usize {
        self.now_s
    }

    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// Ended less committed, all partitions.
    pub fn lag(&self) -> u64 {
        self.partitions
            .iter()
            .map(|partition| partition.end - partition.committed)
            .sum()
    }

    /// Sets the count. Of pods that go: those that have not joined first, then the least cost, then the youngest.
    pub fn scale(&mut self, replicas: u32, costs: &[(String, i32)]) {
        self.replicas = replicas;
        let cost = |id: u64| {
            costs
                .iter()
                .find(|(pod, _)| *pod == name(id))
                .map_or(0, |(_, cost)| *cost)
        };
        while self.workers.len() < replicas as usize {
            let joins_s = self.now_s + 12 + (self.rng.unit() * 8.0) as usize;
            let speed = self.rng.between(0.95, 1.05);
            self.workers.push(Worker {
                id: self.next_id,
                created_s: self.now_s,
                joins_s,
                joined: false,
                speed,
            });
            self.next_id += 1;
        }
        let mut left = false;
        while self.workers.len() > replicas as usize {
            let first = self.workers.iter().enumerate().min_by_key(|(_, worker)| {
                (
                    worker.joined,
                    cost(worker.id),
                    std::cmp::Reverse(worker.created_s),
                    std::cmp::Reverse(worker.id),
                )
            });
            let Some((index, _)) = first else { break };
            let gone = self.workers.remove(index);
            left |= gone.joined;
            for partition in self
                .partitions
                .iter_mut()
                .filter(|partition| partition.owner == Some(gone.id))
            {
                partition.committed = partition.position;
                partition.owner = None;
            }
        }
        if left {
            self.begin_rebalance();
        }
    }

    /// One second.
    pub fn step(&mut self) {
        self.arrive();
        self.join();
        self.end_rebalance();
        self.consume();
        self.commit();
        let late = self.scenario.drain_s as usize;
        let mut over = false;
        for partition in &mut self.partitions {
            partition
                .history
                .push_back((partition.end, partition.committed));
            if partition.history.len() > late.max(RATE_WINDOW_S) + 2 {
                partition.history.pop_front();
            }
            let then = partition
                .history
                .len()
                .checked_sub(late + 1)
                .and_then(|at| partition.history.get(at));
            over |= then.is_some_and(|(end, _)| partition.committed < *end);
        }
        self.score.over_s += u64::from(over);
        self.score.pod_s += self.workers.len() as u64;
        self.now_s += 1;
    }

    fn arrive(&mut self) {
        let load = self.scenario.load[self.now_s];
        for partition in &mut self.partitions {
            let noise = self.rng.between(0.8, 1.2);
            partition.carry += load * partition.weight * noise;
            let whole = partition.carry.floor();
            partition.carry -= whole;
            partition.end += whole as u64;
        }
    }
}

/// Begins at some time, not at zero.
fn clock_ms(second: usize) -> u64 {
    1_000_000_000 + second as u64 * 1_000
}

fn name(id: u64) -> String {
    format!("pod-{id}")
}

fn address(id: u64) -> String {
    format!("10.0.{}.{}", id / 250, id % 250 + 1)
}
