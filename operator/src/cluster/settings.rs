//! What the quorum is told: its first form, where brokers are reached, cluster-wide settings.

use weir_crds::QueueClusterStatus;

use super::addresses;
use super::observe::{Brokers, Observed, Reached};
use super::scene::Scene;
use super::validate::Valid;
use crate::admin::Refusal;
use crate::conditions::Verdict;
use crate::error::Result;
use crate::hash::digest;
use crate::kafka_config::{Settings, cluster_settings, difference};
use crate::term::Term;

/// The first quorum, once in the life of a cluster, by broker 0 alone; or the one that volumes of
/// an earlier resource of this name hold, if most of its brokers found theirs.
pub async fn form(
    brokers: &Brokers,
    replicas: i32,
    status: &mut QueueClusterStatus,
) -> Result<Option<Verdict>> {
    let Some(id) = status.cluster_id.clone() else {
        return Ok(None);
    };
    if !status.formed
        && let Some(theirs) = kept(brokers, replicas, &id)
    {
        let message =
            format!("volumes of an earlier resource were found: cluster {theirs} goes on");
        tracing::info!(cluster = theirs, "volumes that were kept are found again");
        status.cluster_id = Some(theirs);
        status.formed = true;
        return Ok(Some(Verdict::working("VolumesFound", message)));
    }
    let foreign = brokers
        .answering()
        .find(|(_, r)| !r.answer.cluster_id.is_empty() && r.answer.cluster_id != id);
    if let Some((ordinal, reached)) = foreign {
        let theirs = &reached.answer.cluster_id;
        let answering = i32::try_from(brokers.answering().count()).unwrap_or(i32::MAX);
        if answering < replicas && !status.formed {
            let message = format!(
                "broker {ordinal} found a volume of cluster {theirs}; the others are asked"
            );
            return Ok(Some(Verdict::working("Starting", message)));
        }
        let message =
            format!("the volume of broker {ordinal} belongs to cluster {theirs}, not to {id}");
        return Ok(Some(Verdict::stalled("ForeignVolume", message)));
    }
    if status.formed {
        return Ok(None);
    }
    let Some((_, first)) = brokers.answering().find(|(ordinal, _)| *ordinal == 0) else {
        return Ok(None);
    };
    let exists = brokers
        .answering()
        .any(|(_, r)| !r.answer.cluster_id.is_empty());
    if !exists {
        first.handle.form(&id).await?;
    }
    // Also where it had been formed and this was not stored any more.
    status.formed = true;
    Ok(Some(Verdict::working(
        "Starting",
        "the first quorum is formed",
    )))
}

/// The cluster that more than half of the brokers hold, if none holds another one.
fn kept(brokers: &Brokers, replicas: i32, own: &str) -> Option<String> {
    let ids = brokers
        .answering()
        .map(|(_, r)| r.answer.cluster_id.as_str());
    let ids: Vec<&str> = ids.filter(|id| !id.is_empty()).collect();
    let first = *ids.first().filter(|id| **id != own)?;
    let agreed = ids.iter().all(|id| *id == first);
    let count = i32::try_from(ids.len()).unwrap_or(i32::MAX);
    (agreed && count > replicas / 2).then(|| first.to_owned())
}

/// Makes this operator heard, so that brokers refuse whoever led before. The first time only once
/// every broker knows of epochs: the metadata log holds none of them before that.
pub async fn be_heard(term: &Term, brokers: &Brokers) -> Result<()> {
    let (Some(epoch), Some(spokesman)) = (term.epoch(), brokers.spokesman()) else {
        return Ok(());
    };
    let known = brokers.answering().map(|(_, r)| r.answer.operator_epoch);
    let heard = known.flatten().max().unwrap_or(0);
    let knows = |r: &Result<Reached, String>| {
        let answer = r.as_ref().map(|r| r.answer.operator_epoch);
        matches!(answer, Ok(Some(_)))
    };
    let begun = heard > 0 || brokers.reached.values().all(knows);
    if begun && heard != epoch {
        // If it is later than ours this is refused, and that ends us.
        spokesman.handle.set_operator_epoch(epoch).await?;
        tracing::info!(epoch, before = heard, "heard as the operator");
    }
    Ok(())
}

/// Tells the quorum where brokers are reached from outside, where it does not know it.
pub async fn push_addresses(valid: &Valid, observed: &Observed, brokers: &Brokers) -> Result<()> {
    let Some(spokesman) = brokers.spokesman() else {
        return Ok(());
    };
    for ordinal in observed.pods.keys() {
        let Some(entry) = brokers.entry(*ordinal) else {
            continue;
        };
        let wanted = addresses::outside_addresses(valid, observed, *ordinal);
        if !addresses::known(&wanted, &entry.listeners) {
            tracing::info!(broker = ordinal, ?wanted, "outside addresses");
            spokesman.handle.set_listeners(*ordinal, wanted).await?;
        }
    }
    Ok(())
}

/// Brings cluster-wide settings to what the resource says. No broker restarts for them. Settings
/// that were in place once and are not any more, though the same are wanted, are drift.
pub async fn push_settings(
    scene: &Scene<'_>,
    status: &mut QueueClusterStatus,
) -> Result<Option<Verdict>> {
    let Some(spokesman) = scene.brokers.spokesman() else {
        return Ok(None);
    };
    // Defaults follow the brokers there are: fewer that are merely wanted must not lower what
    // topics are written with.
    let mut spec = scene.valid.spec.clone();
    spec.replicas = spec.replicas.max(scene.replicas);
    let wanted = cluster_settings(&spec).unwrap_or_else(|_| scene.valid.settings.clone());
    let live = spokesman.handle.cluster_config().await?;
    let (set, remove) = difference(&wanted, &live, &status.config_keys);
    let mark = Some(mark(&wanted));
    if !set.is_empty() || !remove.is_empty() {
        tracing::info!(?set, ?remove, "cluster-wide settings");
        let what = told(&set, &live);
        match spokesman.handle.alter_cluster_config(set, remove).await {
            Ok(()) => {}
            Err(error) if error.is(Refusal::Invalid) => {
                return Ok(Some(Verdict::stalled("InvalidConfig", error.to_string())));
            }
            Err(error) => return Err(error.into()),
        }
        if status.config_mark == mark {
            scene.applier.drifts().note(what);
        }
    }
    status.config_keys = wanted.keys().cloned().collect();
    status.config_mark = mark;
    Ok(None)
}

fn mark(settings: &Settings) -> String {
    let pairs: Vec<String> = settings.iter().map(|(k, v)| format!("{k}={v}")).collect();
    digest(pairs.join("\n").as_bytes())
}

/// What is set, and what it was.
fn told(set: &Settings, live: &Settings) -> String {
    let one = |(name, value): (&String, &String)| {
        let now = live.get(name).map_or("unset", String::as_str);
        format!("{name} {now} to {value}")
    };
    set.iter().map(one).collect::<Vec<_>>().join(", ")
}
