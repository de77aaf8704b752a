//! The lag-threshold formula as KEDA's Kafka scaler and the horizontal autoscaler describe it in their public
//! documents: what Weir's scaler is measured against. Nothing of it is made worse than described.
//!
//! Every 15 s the autoscaler asks for the total lag, which is limited to the partitions times the threshold; the
//! count wanted is lag / threshold, rounded up, and left alone while it is within 10 % of the current count's. Up at
//! most to the double or four more in 15 s; down to the highest of the last 300 s. From zero and to zero every 30 s:
//! one pod when there is any lag, none when there was none for 300 s.

use std::collections::VecDeque;

use super::model::Model;
use super::scenario::Scenario;

const SYNC_S: usize = 15;
const POLL_S: usize = 30;
const COOLDOWN_S: usize = 300;
const STABILISATION_S: usize = 300;

#[derive(Clone, Debug)]
pub struct Rival {
    threshold: u64,
    partitions: u64,
    min: u32,
    max: u32,
    active_s: usize,
    wanted: VecDeque<(usize, u32)>,
}

impl Rival {
    pub fn new(scenario: &Scenario, threshold: u64) -> Self {
        let partitions = scenario.topics.iter().sum::<usize>() as u64;
        Self {
            threshold,
            partitions,
            min: scenario.min,
            max: scenario.max,
            active_s: 0,
            wanted: VecDeque::new(),
        }
    }

    pub fn decide(&mut self, model: &Model<'_>) -> u32 {
        let (now_s, current, lag) = (model.now_s(), model.replicas(), model.lag());
        if now_s.is_multiple_of(POLL_S) {
            if lag > 0 {
                self.active_s = now_s;
                if current == 0 {
                    return self.min.max(1);
                }
            } else if self.min == 0 && current > 0 && now_s >= self.active_s + COOLDOWN_S {
                self.wanted.clear();
                return 0;
            }
        }
        if current == 0 || !now_s.is_multiple_of(SYNC_S) {
            return current;
        }
        let wanted = self.wanted(lag, current);
        self.wanted.push_back((now_s, wanted));
        while self
            .wanted
            .front()
            .is_some_and(|(at_s, _)| at_s + STABILISATION_S < now_s)
        {
            self.wanted.pop_front();
        }
        let highest = self
            .wanted
            .iter()
            .map(|(_, wanted)| *wanted)
            .max()
            .unwrap_or(wanted);
        // Up at once; down to the highest of the window, and never up because of it.
        let stable = if wanted < current {
            highest.min(current)
        } else {
            wanted
        };
        stable.min((2 * current).max(current + 4))
    }

    fn wanted(&self, lag: u64, current: u32) -> u32 {
        let lag = lag.min(self.partitions * self.threshold);
        let target = self.threshold * u64::from(current);
        let wanted = if lag.abs_diff(target) * 10 <= target {
            current
        } else {
            u32::try_from(lag.div_ceil(self.threshold)).unwrap_or(u32::MAX)
        };
        wanted.clamp(self.min.max(1), self.max)
    }
}
