//! A decision in words.

use crate::{Freeze, Inputs, Reason, TopicPartition};

/// What is done, why, and the figures.
pub fn message(from: u32, to: u32, reason: &Reason, inputs: &Inputs) -> String {
    let change = match to {
        _ if to > from => format!("from {from} up to {}", pods(to)),
        _ if to < from => format!("from {from} down to {}", pods(to)),
        _ => format!("stays at {}", pods(to)),
    };
    format!("{change}: {}", why(from, reason, inputs))
}

fn why(from: u32, reason: &Reason, inputs: &Inputs) -> String {
    let figures = figures(inputs);
    match reason {
        Reason::Steady if inputs.backlog == 0 && inputs.arrival_rate_milli == 0 => {
            "nothing to do".to_owned()
        }
        Reason::Steady if inputs.needed > from => format!(
            "more would be needed if this lasts, and pods that are asked for later still come in time; {figures}"
        ),
        Reason::Steady => format!("it is the right count; {figures}"),
        Reason::ScaleUp | Reason::WakeUp => figures,
        Reason::ScaleDown => {
            format!("fewer have been enough for long enough to pay for the rebalance; {figures}")
        }
        Reason::ToZero => "all is committed and nothing arrives".to_owned(),
        Reason::NotWorthIt => format!(
            "fewer would do, but not yet for long enough to pay for the rebalance ({} s of pod time); {figures}",
            inputs.rebalance_cost_pod_ms / 1_000
        ),
        Reason::AtMaximum => {
            format!(
                "more would be needed, and {} is the most that is allowed or has partitions to work on; {figures}",
                inputs.cap
            )
        }
        Reason::DownstreamBound => {
            format!(
                "more pods did not raise the throughput, so the limit is downstream of them; tried again later; {figures}"
            )
        }
        Reason::PartitionBound(at) => {
            format!(
                "partition {} needs more than one pod can do, and more pods do not change that; {figures}",
                name(at)
            )
        }
        Reason::Stuck(at) => format!(
            "nobody commits on partition {}, although others get on; it does not count; {figures}",
            name(at)
        ),
        Reason::NoProgress => {
            format!("the group commits nothing at all, so more pods are not the answer; {figures}")
        }
        Reason::Rebalancing => "the group is rebalancing".to_owned(),
        Reason::Held => {
            "the group has committed nothing yet, so its backlog is unknown, and noCommit is Hold"
                .to_owned()
        }
        Reason::Frozen(freeze) => frozen(freeze),
        Reason::OutOfBounds => "the count was outside minReplicas to maxReplicas".to_owned(),
    }
}

fn frozen(freeze: &Freeze) -> String {
    match freeze {
        Freeze::Stale { age_ms } => format!("the brokers' figures are {} s old", age_ms / 1_000),
        Freeze::Rolling => "brokers are being restarted".to_owned(),
        Freeze::OtherScaler(other) => format!("{other} scales the same target"),
        Freeze::ForeignMembers(members) => format!(
            "members of the group are not pods of the target: {}",
            members.join(", ")
        ),
        Freeze::Paused => "paused".to_owned(),
    }
}

fn figures(inputs: &Inputs) -> String {
    let measured = if inputs.rate_measured {
        "measured"
    } else {
        "not measured yet"
    };
    let backlog = match inputs.deadline_left_ms {
        Some(left_ms) => format!("backlog {} with {} s left", inputs.backlog, left_ms / 1_000),
        None => format!("backlog {}", inputs.backlog),
    };
    format!(
        "{backlog}, {} in a second, {} committed; the busiest pod would have {} to do of {} ({measured})",
        rate(inputs.arrival_rate_milli),
        rate(inputs.commit_rate_milli),
        rate(inputs.busiest_load_milli),
        rate(inputs.rate_per_pod_milli),
    )
}

/// Tenths are shown below ten only.
fn rate(milli: u64) -> String {
    match milli {
        0 => "0".to_owned(),
        1..10_000 => format!("{}.{}", milli / 1_000, milli % 1_000 / 100),
        _ => (milli.saturating_add(500) / 1_000).to_string(),
    }
}

fn name(at: &TopicPartition) -> String {
    format!("{}-{}", at.topic, at.partition)
}

fn pods(count: u32) -> String {
    if count == 1 {
        "1 pod".to_owned()
    } else {
        format!("{count} pods")
    }
}
