//! Rolling restarts: what the plan says is done, one step a reconcile, and told.

mod beside;
mod give_back;
mod replace;

use kube::ResourceExt;
use weir_crds::{QueueClusterStatus, RollStatus};

use super::plan::{self, Step};
use super::scaling::Freedom;
use super::scene::Scene;
use crate::conditions::{Verdict, now};
use crate::error::Result;
use give_back::owes;
use replace::Replaced;

pub use give_back::give_back;

/// A restart that is under way.
pub struct Rolling {
    pub verdict: Verdict,
    /// What may go on beside it.
    pub freedom: Freedom,
}

impl Rolling {
    fn new(freedom: Freedom, message: String) -> Self {
        let reason = "Rolling".to_owned();
        let verdict = Verdict::ReadyBut { reason, message };
        Self { verdict, freedom }
    }
}

/// One step of a rolling restart, if one is due.
///
/// # Errors
/// The API server did not answer, or a broker that was asked to go on did not.
pub async fn advance(
    scene: &Scene<'_>,
    status: &mut QueueClusterStatus,
) -> Result<Option<Rolling>> {
    match plan::plan(scene.facts) {
        Step::Idle => {
            // What was to restart is as it should be again.
            give_back(scene, status).await;
            status.roll = status.roll.take().filter(owes);
            Ok(status.roll.as_ref().map(indebted))
        }
        Step::Finish { broker } => {
            // Others of its rack may have been about to go too.
            if !give_back(scene, status).await {
                return Ok(status.roll.as_ref().map(indebted));
            }
            if let Some(spokesman) = scene.brokers.spokesman() {
                spokesman.handle.elect_preferred().await?;
            }
            status.roll = None;
            let message = format!("broker {broker} is back and caught up");
            Ok(Some(Rolling::new(Freedom::Nothing, message)))
        }
        Step::Wait { broker, why } => {
            if let Some(rolling) = beside::advance(scene, status).await? {
                return Ok(Some(rolling));
            }
            give_back(scene, status).await;
            let whom = broker.map_or_else(String::new, |id| format!("broker {id}: "));
            let message = format!("waiting: {whom}{why}");
            let since = status.roll.as_mut().map(|turn| {
                turn.message = super::scaling::bounded(&message);
                format!(" (since {})", turn.since)
            });
            let message = format!("{message}{}", since.unwrap_or_default());
            Ok(Some(Rolling::new(Freedom::Repair, message)))
        }
        Step::Replace { broker, how } => take_turn(scene, broker, how, status).await,
    }
}

/// Somebody is to lead again before anything else is done.
fn indebted(turn: &RollStatus) -> Rolling {
    let message = format!("broker {} is to lead again", turn.broker);
    Rolling::new(Freedom::Nothing, message)
}

/// Restarts the broker whose turn it is, or says why not yet.
async fn take_turn(
    scene: &Scene<'_>,
    broker: i32,
    how: plan::How,
    status: &mut QueueClusterStatus,
) -> Result<Option<Rolling>> {
    let Some(pod) = scene.observed.pods.get(&broker) else {
        return Ok(None);
    };
    let uid = pod.uid().unwrap_or_default();
    let mine = |turn: &RollStatus| turn.broker == broker && turn.pod_uid == uid;
    let Some(mut turn) = status.roll.clone().filter(mine) else {
        if !give_back(scene, status).await {
            return Ok(status.roll.as_ref().map(indebted));
        }
        // Stored first: whoever goes on after a crash must know whose turn it is.
        let message = begin(status, broker, uid);
        return Ok(Some(Rolling::new(Freedom::Nothing, message)));
    };
    let since = turn.since.clone();
    let outcome = replace::replace(scene, pod, &mut turn, how).await;
    if let Some(kept) = status.roll.as_mut() {
        kept.leaders_away_since = turn.leaders_away_since;
    }
    let (freedom, message) = match outcome? {
        Replaced::Done => {
            scene.ctx.metrics.restarts.inc();
            let note = format!("pod {} is replaced", pod.name_any());
            scene.event("BrokerRestarted", note.clone()).await;
            (Freedom::Nothing, note)
        }
        Replaced::Ready => {
            // Stored before its leaders move: they are given back if it does not restart.
            arm(status);
            (Freedom::Nothing, format!("broker {broker} is to restart"))
        }
        Replaced::Moving(why) => (Freedom::Nothing, format!("broker {broker}: {why}")),
        Replaced::Waiting(why) => {
            give_back(scene, status).await;
            let message = format!("broker {broker} cannot restart yet: {why} (since {since})");
            (Freedom::Repair, message)
        }
    };
    if let Some(turn) = status.roll.as_mut() {
        turn.message = super::scaling::bounded(&message);
    }
    Ok(Some(Rolling::new(freedom, message)))
}

fn begin(status: &mut QueueClusterStatus, broker: i32, pod_uid: String) -> String {
    let message = format!("broker {broker} is to restart");
    status.roll = Some(RollStatus {
        broker,
        pod_uid,
        since: now(),
        message: message.clone(),
        leaders_away: true,
        leaders_away_since: None,
        others: Vec::new(),
    });
    message
}

fn arm(status: &mut QueueClusterStatus) {
    if let Some(turn) = status.roll.as_mut() {
        turn.leaders_away = true;
    }
}
