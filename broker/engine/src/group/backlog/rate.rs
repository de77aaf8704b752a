//! How fast a counter grows, over a sliding window.

use std::collections::VecDeque;

/// How far back samples count, milliseconds.
const WINDOW_MS: u64 = 10_000;
/// Samples kept, however often they come.
const SAMPLES_MAX: usize = 64;

/// Of one counter that only grows: a log's end, a committed offset.
///
/// A counter that grows in jumps (a consumer commits every five seconds) and is looked at over a
/// window that is no multiple of them would seem to race and to stall in turns. So where jumps
/// span at least half the window, growth is counted from the first jump to the last.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// When each value was seen first, with the last moment it was seen as the last element.
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    at_ms: u64,
    value: i64,
}

impl Rate {
    /// Adds what was seen at `at_ms`. A counter that goes back is another counter: what was seen
    /// of it before is forgotten.
    pub fn add(&mut self, at_ms: u64, value: i64) {
        let last = self.samples.back().copied();
        if last.is_some_and(|l| value < l.value || at_ms < l.at_ms) {
            self.samples.clear();
        }
        if last.is_some_and(|l| l.at_ms == at_ms) {
            self.samples.pop_back();
        }
        self.samples.push_back(Sample { at_ms, value });
        // The oldest is the last one that is as old as the window, so that the window is covered.
        while self.samples.len() > 2
            && (self.samples.len() > SAMPLES_MAX || self.samples[1].at_ms + WINDOW_MS <= at_ms)
        {
            self.samples.pop_front();
        }
    }

    /// Growth a second; 0 before two samples.
    pub fn per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else {
            return 0.0;
        };
        match self.jumps() {
            Some((from, to)) => slope(from, to),
            None => slope(*first, *last),
        }
    }

    /// The first and last jump, if they tell enough: half the window apart, and no longer over
    /// than it took from one to the next.
    fn jumps(&self) -> Option<(Sample, Sample)> {
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1));
        let jumps: Vec<Sample> = pairs
            .filter(|(before, after)| after.value > before.value)
            .map(|(_, after)| *after)
            .collect();
        let (first, last) = (*jumps.first()?, *jumps.last()?);
        let gaps = jumps.iter().zip(jumps.iter().skip(1));
        let longest = gaps.map(|(a, b)| b.at_ms - a.at_ms).max()?;
        let silent = self.samples.back()?.at_ms - last.at_ms;
        let tells = (last.at_ms - first.at_ms) * 2 >= WINDOW_MS && silent <= longest + longest / 2;
        tells.then_some((first, last))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
fn slope(from: Sample, to: Sample) -> f64 {
    let ms = to.at_ms.saturating_sub(from.at_ms);
    if ms == 0 {
        return 0.0;
    }
    (to.value - from.value) as f64 * 1000.0 / ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every second at a counter.
    fn seen(seconds: u64, value: impl Fn(u64) -> i64) -> Rate {
        let mut rate = Rate::default();
        for second in 0..=seconds {
            rate.add(second * 1000, value(second));
        }
        rate
    }

    fn about(rate: &Rate, expected: f64) {
        let found = rate.per_second();
        assert!((found - expected).abs() < 0.01, "{found} is not {expected}");
    }

    fn at(second: u64, each: i64) -> i64 {
        i64::try_from(second).expect("small") * each
    }

    #[test]
    fn a_steady_counter_has_its_rate_at_once() {
        about(&Rate::default(), 0.0);
        about(&seen(0, |_| 7), 0.0);
        about(&seen(1, |s| at(s, 100)), 100.0);
        about(&seen(30, |s| at(s, 100)), 100.0);
    }

    #[test]
    fn jumps_are_counted_from_jump_to_jump_whenever_one_looks() {
        for seconds in 20..40 {
            about(&seen(seconds, |s| at(s / 5 * 5, 100)), 100.0);
        }
    }

    #[test]
    fn a_change_is_seen_after_the_window_and_silence_too() {
        let steps = |s: u64| at(s.min(20), 100) + at(s.saturating_sub(20), 300);
        about(&seen(31, steps), 300.0);
        let stops = |s: u64| at(s.min(20), 100);
        about(&seen(31, stops), 0.0);
        let halfway = seen(25, stops).per_second();
        assert!((30.0..80.0).contains(&halfway), "{halfway}");
    }

    #[test]
    fn a_burst_counts_over_the_window() {
        about(&seen(20, |s| if s > 15 { 1000 } else { 0 }), 100.0);
    }

    #[test]
    fn a_counter_that_goes_back_is_another() {
        let mut rate = seen(20, |s| at(s, 100));
        rate.add(21_000, 5);
        about(&rate, 0.0);
        rate.add(22_000, 15);
        about(&rate, 10.0);
    }

    #[test]
    fn rare_and_frequent_samples_are_bounded() {
        let mut rate = Rate::default();
        for n in 0..10 {
            rate.add(n * 60_000, at(n, 60));
        }
        about(&rate, 1.0);
        assert_eq!(rate.samples.len(), 2);
        for n in 0..1000 {
            rate.add(600_000 + n, 1000);
        }
        assert!(rate.samples.len() <= SAMPLES_MAX);
    }
}
