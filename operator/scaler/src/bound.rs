//! Whether the last steps up brought anything.
//!
//! A step is reckoned against what the pods before it did, or where nobody knows that (a load that
//! came all at once) against what they can do by the rate of a pod. A consumer that has become slow
//! looks then like one that waits for something downstream: fewer pods tell the two apart, and where
//! those do clearly less, the step back is undone.

use serde::{Deserialize, Serialize};

use crate::tuning;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Downstream {
    trial: Option<Trial>,
    /// No count above this helps, until the time beside it.
    bound: Option<Bound>,
    /// Of the next bound; doubles.
    pause_ms: u64,
    /// After a bound that was none, no step is a trial before this.
    quiet_until_ms: u64,
    /// Where the bound was whose time is over: the next step tries a third more.
    was_at: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Trial {
    from: u32,
    to: u32,
    throughput: u64,
    /// Reckoned by `rate`, not seen.
    reckoned: bool,
    rate: u64,
    best: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Bound {
    at: u32,
    until_ms: u64,
    /// The throughput that was the most there was.
    best: u64,
}

impl Trial {
    /// Whether the pods have brought, of what they should, as much as a step has to.
    fn has_paid(&self) -> bool {
        let gain = self.best.saturating_sub(self.throughput);
        let expected = u64::from(self.to - self.from).saturating_mul(self.rate);
        let least = match self.reckoned {
            true => tuning::GAIN_AT_LEAST_RECKONED,
            false => tuning::GAIN_AT_LEAST,
        };
        gain.saturating_mul(100) >= expected.saturating_mul(least)
    }

    /// The pods that the best throughput of the trial took, of those that were tried.
    fn enough(&self) -> u32 {
        let pods = u32::try_from(self.best.div_ceil(self.rate.max(1))).unwrap_or(u32::MAX);
        pods.clamp(self.from, self.to)
    }
}

impl Bound {
    /// Whether these pods, busy all along, clearly do less than more of them did.
    fn is_wrong(&self, now: Throughput) -> bool {
        let less = now.total.saturating_mul(100) < self.best.saturating_mul(tuning::WRONG_BELOW);
        let few = now.members <= self.at && now.busy >= now.members.max(1);
        less && few && now.stable_ms >= now.settle_ms
    }

    /// Whether the same pods clearly do more than all that were tried did: what is downstream got faster.
    fn is_over(&self, now: Throughput) -> bool {
        let more = now.total.saturating_mul(100) > self.best.saturating_mul(tuning::OVER_ABOVE);
        self.best > 0 && more && now.members <= self.at && now.stable_ms >= now.settle_ms
    }
}

/// What the pods do now, thousandths of a record a second.
#[derive(Clone, Copy, Debug)]
pub struct Throughput {
    pub total: u64,
    pub members: u32,
    /// That have had a backlog all along.
    pub busy: u32,
    /// For how long the group has been stable.
    pub stable_ms: u64,
    pub settle_ms: u64,
}

impl Downstream {
    /// The largest count that helps while a bound stands, or that is tried after it.
    pub fn cap(&self) -> Option<u32> {
        let some = |at: u32| at.saturating_add(at.div_ceil(3));
        let next = (self.was_at > 0).then(|| some(self.was_at));
        self.bound.map(|bound| bound.at).or(next)
    }

    /// Whether a trial runs, in which rates say more about what is downstream than about pods.
    pub fn is_trying(&self) -> bool {
        self.trial.is_some()
    }

    /// Whether the step that is judged has brought too little so far: the next one waits for the verdict.
    pub fn doubts(&self, replicas: u32, now: Throughput) -> bool {
        self.trial.is_some_and(|trial| {
            let all_there = trial.to == replicas && now.members == trial.to;
            let settled = now.stable_ms >= now.settle_ms && now.busy >= trial.to;
            all_there && settled && !trial.has_paid()
        })
    }

    /// A step up is a trial, if a pod's `rate` is known; one that comes before the last was judged
    /// makes that one larger.
    pub fn stepped_up(&mut self, at_ms: u64, from: u32, to: u32, rate: u64, now: Throughput) {
        let before = self.trial.take().filter(|trial| trial.to == from);
        if from == 0 || rate == 0 || at_ms < self.quiet_until_ms {
            return;
        }
        let can = rate.saturating_mul(u64::from(from));
        let known = now.busy >= from && now.stable_ms >= now.settle_ms;
        let new = Trial {
            from,
            throughput: if known { now.total.min(can) } else { can },
            reckoned: !known,
            rate,
            ..Trial::default()
        };
        let trial = before.unwrap_or(new);
        self.trial = Some(Trial {
            to,
            best: 0,
            ..trial
        });
    }

    /// Judges a trial; true when it has just failed and is to be taken back.
    pub fn observe(&mut self, at_ms: u64, backlog: bool, replicas: u32, now: Throughput) -> bool {
        if !backlog {
            (self.trial, self.bound, self.was_at) = (None, None, 0);
            return false;
        }
        self.look_at_bound(at_ms, now);
        let Some(trial) = &mut self.trial else {
            return false;
        };
        if replicas != trial.to {
            self.trial = None;
            return false;
        }
        if now.members != trial.to || now.stable_ms < now.settle_ms {
            return false;
        }
        trial.best = trial.best.max(now.total);
        if trial.has_paid() {
            (self.trial, self.pause_ms, self.was_at) = (None, 0, 0);
            return false;
        }
        // Only what was busy all along could have done more.
        if now.stable_ms < 2 * now.settle_ms || now.busy < trial.to {
            return false;
        }
        let pause_ms = self
            .pause_ms
            .clamp(tuning::BOUND_PAUSE_MS, tuning::BOUND_PAUSE_MAX_MS);
        self.bound = Some(Bound {
            at: trial.enough(),
            until_ms: at_ms.saturating_add(pause_ms),
            best: trial.best,
        });
        self.pause_ms = (2 * pause_ms).min(tuning::BOUND_PAUSE_MAX_MS);
        self.trial = None;
        true
    }

    fn look_at_bound(&mut self, at_ms: u64, now: Throughput) {
        let Some(bound) = self.bound else {
            return;
        };
        if bound.is_over(now) {
            (self.bound, self.pause_ms) = (None, 0);
        } else if bound.is_wrong(now) {
            self.bound = None;
            self.quiet_until_ms = at_ms.saturating_add(self.pause_ms);
        } else if at_ms >= bound.until_ms {
            self.bound = None;
            self.was_at = bound.at;
        }
    }
}
