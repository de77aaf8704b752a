//! From what was seen to what is decided upon. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use weir_proto::admin as pb;
use weir_scaler::{
    Assignor, Freeze, GroupState, Member, Observation, PartitionBacklog, TopicPartition,
};

use super::validate::Valid;
use crate::cluster::facts::is_ready;

/// Figures older than this decide nothing, milliseconds.
pub const STALE_MS: u64 = 15_000;
/// Strangers in a group that are named.
const STRANGERS_MAX: usize = 5;

/// What a reconcile found.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    pub report: &'a pb::GroupBacklog,
    /// Since the report arrived, milliseconds.
    pub report_age_ms: u64,
    /// `spec.replicas` of the target.
    pub replicas: u32,
    pub pods: &'a [Pod],
    /// Addresses that pods of the target had lately; their members may outlive them for a while.
    pub former_ips: &'a BTreeSet<String>,
    /// Brokers are being restarted.
    pub rolling: bool,
    /// Something else that scales the target.
    pub other_scaler: Option<String>,
}

/// What there is to decide on.
pub fn observation(valid: &Valid, found: &Found<'_>, now_ms: u64) -> Observation {
    let report = found.report;
    let hosts = hosts(report);
    let pods = found.pods.iter().map(|p| pod(p, &hosts, now_ms)).collect();
    let counts = |topic: &str| {
        let topics = &valid.source.topics;
        topics.is_empty() || topics.iter().any(|t| t == topic)
    };
    let partitions = report.partitions.iter().filter(|p| counts(&p.topic));
    Observation {
        at_ms: now_ms,
        replicas: found.replicas,
        pods,
        group: state(&report.state),
        assignor: assignor(&report.assignor),
        generation: report.generation,
        members: report.members.iter().map(member).collect(),
        partitions: partitions.map(partition).collect(),
        frozen: freeze(valid, found),
    }
}

/// Records that are still to be consumed, whatever was decided about them.
pub fn backlog(observed: &Observation) -> i64 {
    let of = |p: &PartitionBacklog| {
        let from = p.committed.map_or(p.start, |c| c.max(p.start));
        (p.end - from).max(0)
    };
    observed.partitions.iter().map(of).sum()
}

/// Nothing is there to be consumed and nothing comes.
pub fn is_idle(observed: &Observation) -> bool {
    let comes = |p: &PartitionBacklog| p.arrival_rate > 0.0;
    backlog(observed) == 0 && !observed.partitions.iter().any(comes)
}

/// The first reason for which nothing may be changed.
fn freeze(valid: &Valid, found: &Found<'_>) -> Option<Freeze> {
    if valid.paused {
        return Some(Freeze::Paused);
    }
    if let Some(other) = &found.other_scaler {
        return Some(Freeze::OtherScaler(other.clone()));
    }
    if found.rolling {
        return Some(Freeze::Rolling);
    }
    let age_ms = age_ms(found);
    if age_ms > STALE_MS {
        return Some(Freeze::Stale { age_ms });
    }
    let strangers = strangers(found);
    (!strangers.is_empty()).then_some(Freeze::ForeignMembers(strangers))
}

/// Age of the oldest figure.
fn age_ms(found: &Found<'_>) -> u64 {
    let ages = found.report.partitions.iter().map(|p| p.age_ms);
    let oldest = u64::try_from(ages.max().unwrap_or(0)).unwrap_or(0);
    found.report_age_ms.saturating_add(oldest)
}

/// Members that are no pods of the target, by their address.
fn strangers(found: &Found<'_>) -> Vec<String> {
    let ours: BTreeSet<String> = found.pods.iter().flat_map(addresses).collect();
    let stranger = |m: &&pb::BacklogMember| {
        let host = address(&m.host);
        !ours.contains(&host) && !found.former_ips.contains(&host)
    };
    let named = |m: &pb::BacklogMember| format!("{} at {}", m.client_id, address(&m.host));
    let all: BTreeSet<String> = found
        .report
        .members
        .iter()
        .filter(stranger)
        .map(named)
        .collect();
    all.into_iter().take(STRANGERS_MAX).collect()
}

/// Where a group's members connect from.
pub fn hosts(report: &pb::GroupBacklog) -> BTreeSet<String> {
    report.members.iter().map(|m| address(&m.host)).collect()
}

/// All addresses of a pod.
pub fn addresses(pod: &Pod) -> Vec<String> {
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    let many = status.pod_ips.iter().flatten().map(|ip| &ip.ip);
    let all: BTreeSet<String> = many
        .chain(status.pod_ip.as_ref())
        .map(|a| address(a))
        .collect();
    all.into_iter().filter(|a| !a.is_empty()).collect()
}

/// An address in one spelling: that of IPv4 where an IPv6 socket shows one.
fn address(text: &str) -> String {
    match text.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Of a pod with several addresses, the one that it is known by in the group.
fn pod(pod: &Pod, hosts: &BTreeSet<String>, now_ms: u64) -> weir_scaler::Pod {
    let addresses = addresses(pod);
    let known = addresses.iter().find(|a| hosts.contains(*a));
    let created = pod.metadata.creation_timestamp.as_ref();
    let created_ms = created.and_then(|t| u64::try_from(t.0.as_millisecond()).ok());
    weir_scaler::Pod {
        name: pod.name_any(),
        ip: known.or(addresses.first()).cloned().unwrap_or_default(),
        ready: is_ready(pod),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        // Another machine's clock: never from the future.
        created_ms: created_ms.unwrap_or(now_ms).min(now_ms),
    }
}

fn state(name: &str) -> GroupState {
    match name {
        "Empty" => GroupState::Empty,
        "Stable" => GroupState::Stable,
        "PreparingRebalance" | "CompletingRebalance" => GroupState::Rebalancing,
        _ => GroupState::Dead,
    }
}

fn assignor(name: &str) -> Assignor {
    match name {
        "range" => Assignor::Range,
        "roundrobin" => Assignor::RoundRobin,
        "sticky" | "cooperative-sticky" => Assignor::Sticky,
        other => Assignor::Other(other.to_owned()),
    }
}

fn member(member: &pb::BacklogMember) -> Member {
    let assigned = |p: &pb::TopicPartitionIndex| TopicPartition {
        topic: p.topic.clone(),
        partition: p.partition,
    };
    Member {
        id: member.id.clone(),
        host: address(&member.host),
        assigned: member.assigned.iter().map(assigned).collect(),
        subscribed: member.subscribed.clone(),
    }
}

fn partition(partition: &pb::PartitionBacklog) -> PartitionBacklog {
    PartitionBacklog {
        id: TopicPartition {
            topic: partition.topic.clone(),
            partition: partition.partition,
        },
        committed: partition.committed,
        start: partition.start,
        end: partition.end,
        arrival_rate: partition.arrival_rate,
        commit_rate: partition.commit_rate,
    }
}
