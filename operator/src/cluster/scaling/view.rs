//! The map of replicas, from what the brokers say.

use futures::future::join_all;

use crate::cluster::observe::Reached;
use crate::cluster::placement::{Member, ReplicaMap};
use crate::cluster::scene::Scene;

/// Asks one broker where everything is, and each for the sizes of what it holds. Sizes that
/// nobody tells count as nothing: they only weigh, they decide nothing.
///
/// # Errors
/// The broker does not answer, or is too old to know.
pub async fn look(scene: &Scene<'_>, spokesman: &Reached) -> Result<ReplicaMap, String> {
    let all = spokesman.handle.describe_replicas(false).await;
    let all = all.map_err(|e| e.to_string())?;
    let asked = scene.brokers.answering();
    let held = asked.map(|(_, broker)| broker.handle.describe_replicas(true));
    let held: Vec<_> = join_all(held).await.into_iter().flatten().collect();
    let wanted = scene.valid.spec.replicas;
    let members = scene.brokers.cluster.iter().flat_map(|c| &c.brokers);
    let members = members.map(|b| Member {
        id: b.id,
        rack: b.rack.clone(),
        // One that is about to stop is given nothing either.
        fenced: b.fenced || b.stopping,
        // Those that go next take nothing either.
        cordoned: b.id >= wanted,
    });
    Ok(ReplicaMap::new(all, &held, members))
}
