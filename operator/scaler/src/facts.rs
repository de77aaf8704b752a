//! What one observation says, together with what was learnt.

use crate::assign::Layout;
use crate::bound::Throughput;
use crate::need::Need;
use crate::work::{Work, milli};
use crate::{Inputs, Memory, Observation, Spec, TopicPartition, tuning};

pub struct Facts {
    pub works: Vec<Work>,
    pub layout: Layout,
    pub inputs: Inputs,
    pub throughput: Throughput,
    pub stuck: Option<TopicPartition>,
    /// Not counted as a reason for more pods.
    pub quiet: Vec<usize>,
    pub no_progress: bool,
    /// For how long what is left has stood still at the end of the logs.
    residue_ms: u64,
    /// The last step up has just turned out to bring nothing.
    pub just_bound: bool,
    window_started_ms: u64,
    /// Backlogs are divided by no shorter time.
    pub least_ms: u64,
}

/// Partitions that nobody commits on, by their index in the observation.
struct Silent {
    stuck: Vec<usize>,
    quiet: Vec<usize>,
    residue_ms: u64,
    no_progress: bool,
}

impl Facts {
    pub fn observe(
        spec: &Spec,
        memory: &mut Memory,
        seen: &Observation,
        last_seen_ms: u64,
    ) -> Self {
        let elapsed_ms = seen.at_ms.saturating_sub(last_seen_ms);
        let interval_ms = memory.learnt.commit_interval_ms();
        let of = |partition| Work::observe(spec, partition, interval_ms);
        let mut works: Vec<Work> = seen.partitions.iter().map(of).collect();
        let mut inputs = sums(seen, &works);
        let silent = observe_silent(memory, seen, &mut works);
        let moving = silent.stuck.is_empty() && silent.quiet.is_empty();
        let learn = moving && memory.downstream.cap().is_none();
        // What is clearly less while more pods are tried may be a limit downstream, not the pods.
        let known = match memory.learnt.rate {
            0 => milli(spec.initial_rate_per_pod) / 2,
            rate => rate,
        };
        let least = match memory.downstream.is_trying() {
            true => known / 100 * tuning::LEAST_IN_TRIAL,
            false => 0,
        };
        let busy = memory
            .learnt
            .observe_rate(seen, &works, elapsed_ms, learn.then_some(least));
        inputs.rate_measured = memory.learnt.rate > 0;
        inputs.rate_per_pod_milli = if inputs.rate_measured {
            memory.learnt.rate
        } else {
            milli(spec.initial_rate_per_pod).max(1)
        };
        let significant = (inputs.rate_per_pod_milli / 1_000).max(1);
        memory.age.observe(seen, &works, significant);
        let throughput = Throughput {
            total: inputs.commit_rate_milli,
            members: inputs.members,
            busy,
            stable_ms: seen.at_ms.saturating_sub(memory.learnt.stable_since_ms),
            settle_ms: memory.learnt.settle_ms(),
        };
        let backlog = memory.age.since_ms.is_some();
        let just_bound = memory
            .downstream
            .observe(seen.at_ms, backlog, seen.replicas, throughput);
        let window_started_ms = observe_times(spec, memory, seen, &mut inputs);
        inputs.cap = cap(spec, memory, &inputs);
        let named = |&index: &usize| seen.partitions[index].id.clone();
        let settled = memory.learnt.is_settled(seen.at_ms);
        Self {
            layout: Layout::new(seen),
            stuck: silent.stuck.first().map(named),
            quiet: if settled { silent.quiet } else { Vec::new() },
            no_progress: silent.no_progress,
            works,
            inputs,
            throughput,
            residue_ms: silent.residue_ms,
            just_bound,
            window_started_ms,
            least_ms: least_ms(spec),
        }
    }

    pub fn need(&self, replicas: u32) -> Need<'_> {
        Need {
            layout: &self.layout,
            works: &self.works,
            rate: self.inputs.rate_per_pod_milli,
            replicas,
            window_ms: self.inputs.window_ms,
            window_started_ms: self.window_started_ms,
            start_up_ms: self.inputs.start_up_ms,
            cap: self.inputs.cap,
        }
    }

    /// What a pod does: as measured, or as was guessed if they do at least half of that. Zero: not known.
    pub fn known_rate(&self) -> u64 {
        if self.inputs.rate_measured || self.is_confirmed() {
            self.inputs.rate_per_pod_milli
        } else {
            0
        }
    }

    /// Whether pods do at least half of what was guessed: then they may well do all of it.
    pub fn is_confirmed(&self) -> bool {
        let members = u64::from(self.inputs.members.max(1));
        self.inputs.commit_rate_milli / members >= self.inputs.rate_per_pod_milli / 2
    }

    /// What stands still at the end of the logs may be markers: few records, for longer than a member may hold them.
    pub fn is_only_markers(&self) -> bool {
        self.residue_ms >= tuning::RESIDUE_MS
            && self
                .works
                .iter()
                .all(|work| work.backlog <= tuning::RESIDUE_RECORDS)
    }
}

/// Takes out of `works` what more pods would not do: what nobody commits on.
fn observe_silent(memory: &mut Memory, seen: &Observation, works: &mut [Work]) -> Silent {
    let residue_ms = memory.silence.observe_residue(seen, works);
    if residue_ms >= tuning::RESIDUE_MS {
        // Markers, or records that nobody takes.
        works.iter_mut().for_each(|work| work.excess = 0);
    }
    let stable_since_ms = memory.learnt.stable_since_ms;
    let interval_ms = memory.learnt.commit_interval_ms();
    let after_ms = |least_ms: u64| least_ms.max(4 * interval_ms + tuning::RATE_WINDOW_MS);
    let silent_ms = memory.silence.observe_group(seen, works, stable_since_ms);
    let stuck_ms = after_ms(tuning::STUCK_MS);
    let silent = memory
        .silence
        .observe_silent(seen, works, stable_since_ms, stuck_ms);
    for &index in &silent.stuck {
        works[index] = Work {
            backlog: works[index].backlog,
            ..Work::default()
        };
    }
    Silent {
        stuck: silent.stuck,
        quiet: silent.quiet,
        residue_ms,
        no_progress: silent_ms >= after_ms(tuning::NO_PROGRESS_MS),
    }
}

fn least_ms(spec: &Spec) -> u64 {
    (spec.drain_within_ms / 4).max(1_000)
}

/// Start-up, commits, and how long is left. Returns the time that pods which are not there yet will have.
fn observe_times(spec: &Spec, memory: &Memory, seen: &Observation, inputs: &mut Inputs) -> u64 {
    inputs.start_up_ms = memory.learnt.start_up_ms();
    inputs.commit_interval_ms = memory.learnt.commit_interval_ms();
    let pause_ms = memory.learnt.pause_ms();
    inputs.rebalance_cost_pod_ms = pause_ms.saturating_mul(u64::from(seen.replicas));
    let left = |since_ms: u64| (since_ms + spec.drain_within_ms).saturating_sub(seen.at_ms);
    inputs.deadline_left_ms = memory.age.since_ms.map(left);
    let left_ms = inputs.deadline_left_ms.unwrap_or(spec.drain_within_ms);
    let least_ms = least_ms(spec);
    inputs.window_ms = left_ms.max(least_ms);
    left_ms.saturating_sub(inputs.start_up_ms).max(least_ms)
}

fn sums(seen: &Observation, works: &[Work]) -> Inputs {
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let total = |of: fn(&Work) -> u64| works.iter().map(of).fold(0, u64::saturating_add);
    Inputs {
        backlog: total(|work| work.backlog),
        excess: total(|work| work.excess),
        arrival_rate_milli: total(|work| work.arrival),
        commit_rate_milli: total(|work| work.commit),
        partitions_with_work: count(works.iter().filter(|work| work.is_any()).count()),
        members: count(seen.members.len()),
        ready_pods: count(
            seen.pods
                .iter()
                .filter(|pod| pod.ready && !pod.terminating)
                .count(),
        ),
        ..Inputs::default()
    }
}

/// At least one, so that there is a count to speak of.
fn cap(spec: &Spec, memory: &Memory, inputs: &Inputs) -> u32 {
    let useful = inputs
        .partitions_with_work
        .min(memory.downstream.cap().unwrap_or(u32::MAX));
    useful.max(spec.min_replicas).min(spec.max_replicas).max(1)
}
