//! A broker that is in the metadata and has no place in the StatefulSet gets one again.
//!
//! It is there after a cluster was made again on kept volumes with fewer brokers than it had: what
//! the others hold is moved as in every scale-in, so whoever is too many has to be there first.

use serde_json::json;

use super::but;
use crate::cluster::observe::Reached;
use crate::cluster::scene::Scene;
use crate::conditions::Verdict;
use crate::error::Result;

/// Raises the StatefulSet to the last registered broker, if that is beyond it. Not to be called
/// while a broker leaves.
///
/// # Errors
/// The API server did not answer, or refused.
pub async fn advance(scene: &Scene<'_>, spokesman: &Reached) -> Result<Option<Verdict>> {
    let Some(last) = beyond(scene, spokesman) else {
        return Ok(None);
    };
    let Some(set) = &scene.observed.stateful_set else {
        return Ok(None);
    };
    let change = json!({"spec": {"replicas": last + 1}});
    scene.applier.merge(set, change).await?;
    let message = format!(
        "broker {last} belongs to the cluster and has no pod: it is started again, to be emptied"
    );
    scene.event("BrokerRecalled", message.clone()).await;
    Ok(Some(but("ScalingIn", message)))
}

/// Only the controller's word counts: another broker may not know yet that somebody has left.
fn beyond(scene: &Scene<'_>, spokesman: &Reached) -> Option<i32> {
    let answer = &spokesman.answer;
    if answer.controller_id != Some(answer.broker_id) {
        return None;
    }
    let cluster = scene.brokers.cluster.as_ref()?;
    let last = cluster.brokers.iter().map(|b| b.id).max()?;
    (last >= scene.replicas).then_some(last)
}
