//! Every constant of the decision, in one place; the simulation's tuning set chose those that are not given.

/// Assumed until measured; Kafka's default of `auto.commit.interval.ms`.
pub const COMMIT_INTERVAL_MS: u64 = 5_000;
/// Assumed until measured, from a pod's creation until it has its partitions.
pub const START_UP_MS: u64 = 20_000;
/// Assumed until measured.
pub const PAUSE_MS: u64 = 3_000;
/// The brokers' rates are taken over about this time, so figures are mixed for as long after a change.
pub const RATE_WINDOW_MS: u64 = 10_000;
/// How old a report may be by the time it is used.
pub const REPORT_DELAY_MS: u64 = 1_000;

/// Per cent of the measured rate: above this load the count grows,
pub const UP_ABOVE: u64 = 105;
/// to one at which the load is at most this,
pub const UP_TO: u64 = 95;
/// or at most this if the load that asks for it is below the other:
pub const UP_TO_CREEPING: u64 = 75;
pub const UP_CREEPING: u64 = 115;
/// and one that would be loaded more than this is too few to go down to.
pub const DOWN_TO: u64 = 80;
/// While pods of the last step are still starting, only this much load adds to it.
pub const UP_ABOVE_UNSETTLED: u64 = 130;

/// A new rate counts in full after this time of busy pods.
pub const RATE_MEMORY_MS: u64 = 30_000;

/// A partition on which nobody commits is called stuck after this, or four commit intervals.
pub const STUCK_MS: u64 = 30_000;
/// A group that commits nothing at all is not given more pods after this, or four commit intervals.
pub const NO_PROGRESS_MS: u64 = 60_000;
/// Twice Kafka's default of `max.poll.interval.ms`: a member that is still there after it does poll, so what it does
/// not commit is not in its hands.
pub const RESIDUE_MS: u64 = 600_000;
/// Records at the end of a partition that may be transaction markers rather than work.
pub const RESIDUE_RECORDS: u64 = 16;

/// How much pod time has to have been wasted before a step down, in costs of going down and back up,
pub const WASTE_FACTOR: u64 = 12;
/// times what the group has taught, between this and that:
pub const PATIENCE: u64 = 1;
pub const PATIENCE_MAX: u64 = 16;
/// after a step down that saved less than so many costs before the count went up again
pub const REGRET_FACTOR: u64 = 80;
/// it is so many times as much, and after one that saved more half as much.
pub const PATIENCE_GROWTH: u64 = 8;
/// A smaller count that has begun to be enough makes a larger one wait until it is worth so many times as much.
pub const ONE_STEP_FACTOR: u64 = 3;
/// And for how long at least fewer pods would have done.
pub const DOWN_AFTER_MS: u64 = 180_000;
/// All committed and nothing arriving for this long, or for `drainWithin`: to zero.
pub const ZERO_AFTER_MS: u64 = 180_000;

/// After a limit downstream was found, the first pause before another try, and the longest.
pub const BOUND_PAUSE_MS: u64 = 1_200_000;
pub const BOUND_PAUSE_MAX_MS: u64 = 3_600_000;
/// Per cent of the throughput that was the most there was, above which the limit is taken to be gone before that.
pub const OVER_ABOVE: u64 = 120;
/// Per cent of it below which fewer pods show that there was no limit.
pub const WRONG_BELOW: u64 = 80;
/// Per cent of the rate of a pod that is still learnt from while a step up is judged.
pub const LEAST_IN_TRIAL: u64 = 70;
/// Per cent of the expected gain that a step up has to bring.
pub const GAIN_AT_LEAST: u64 = 25;
/// The same where nobody knows what the pods before the step did.
pub const GAIN_AT_LEAST_RECKONED: u64 = 15;
/// How far a step that waits looks ahead for whether it would have to be a larger one.
pub const LATER_MS: u64 = 5_000;
/// Pods of one step join one after the other: so many rebalances are reckoned with.
pub const PAUSES_OF_A_STEP: u64 = 2;
