//! Moves of replicas: brokers that leave, brokers that are lost, and what is spread unevenly.
//!
//! One of them at a time, in this order. Each step is decided from what is there now; the status
//! keeps what cannot be seen there, and is stored before anything is done that relies on it.

mod balance;
mod leave;
mod progress;
mod rebuild;
mod recall;
mod scale_in;
mod view;

pub use view::look;
use weir_crds::{Balance, QueueClusterStatus, ScalingPhase};

use super::observe::Reached;
use super::placement::Reassignment;
use super::scene::Scene;
use crate::conditions::Verdict;
use crate::error::Result;

/// What a rolling restart leaves to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freedom {
    /// None is under way.
    All,
    /// It waits for a broker; if that is lost, waiting longer helps nobody.
    Repair,
    /// A broker restarts now.
    Nothing,
}

/// One step of what moves replicas, if anything should; the verdict while it lasts.
///
/// # Errors
/// The API server did not answer, or refused. What the brokers do not answer is waiting.
pub async fn advance(
    scene: &Scene<'_>,
    free: Freedom,
    status: &mut QueueClusterStatus,
) -> Result<Option<Verdict>> {
    let Some(spokesman) = scene.brokers.spokesman() else {
        return Ok(None);
    };
    if let Some(verdict) = leave::advance(scene, spokesman, status).await? {
        return Ok(Some(verdict));
    }
    if status.scaling.is_none()
        && let Some(verdict) = recall::advance(scene, spokesman).await?
    {
        return Ok(Some(verdict));
    }
    let shrinks = status.scaling.is_some() || scene.valid.spec.replicas < scene.replicas;
    let balances = scene.valid.spec.balance != Balance::Disabled || status.balance.is_some();
    if !shrinks && !balances && status.lost.is_empty() {
        return Ok(None);
    }
    let map = match view::look(scene, spokesman).await {
        Ok(map) => map,
        Err(why) if shrinks => {
            let message = format!("where replicas lie is not known: {why}");
            return Ok(Some(but("ScalingIn", message)));
        }
        Err(why) => {
            tracing::warn!(cluster = %scene.valid.names.cluster, %why, "replicas not described");
            return Ok(None);
        }
    };
    if let Some(verdict) = scale_in::advance(scene, spokesman, &map, free, status).await {
        return Ok(Some(verdict));
    }
    if let Some(verdict) = rebuild::advance(scene, spokesman, &map, free, status).await {
        return Ok(Some(verdict));
    }
    Ok(balance::advance(scene, spokesman, &map, free, status).await)
}

/// How many brokers the StatefulSet is to have: never fewer than it has, and not more while one
/// is going whose name the next would take.
pub fn replicas(wanted: i32, live: i32, status: &QueueClusterStatus) -> i32 {
    match leaving(status) {
        Some(_) => live,
        None => wanted.max(live),
    }
}

/// The broker that is out of the cluster already, or will be whatever happens.
pub fn leaving(status: &QueueClusterStatus) -> Option<i32> {
    let turn = status.scaling.as_ref()?;
    let gone = matches!(turn.phase, ScalingPhase::Removing | ScalingPhase::Leaving);
    gone.then_some(turn.broker)
}

/// The cluster serves, and this is under way.
fn but(reason: &str, message: String) -> Verdict {
    Verdict::ReadyBut {
        reason: reason.to_owned(),
        message,
    }
}

/// Begins moves; what went wrong, if anything.
async fn start(spokesman: &Reached, wave: &[Reassignment]) -> Option<String> {
    if wave.is_empty() {
        return None;
    }
    let requests = wave.iter().map(Reassignment::request).collect();
    tracing::info!(partitions = wave.len(), "replicas move");
    match spokesman.handle.alter_reassignments(requests).await {
        Ok(refused) => refused
            .first()
            .map(|r| format!("{}-{}: {}", r.topic, r.index, r.error)),
        Err(error) => Some(error.to_string()),
    }
}

/// Sentences in one message.
fn joined(first: String, then: Option<String>) -> String {
    match then {
        Some(then) => format!("{first}; {then}"),
        None => first,
    }
}

/// Longest message of a restart, a move or a balance: all of them at once leave the status under 32 KiB.
const MESSAGE_CHARS_MAX: usize = 800;

/// A message that fits its field.
pub fn bounded(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}
