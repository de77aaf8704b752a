//! Whether a broker that stops can still hand its leaders to anybody.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;
use weir_types::BrokerId;

use super::controller;
use super::handle::{Member, Quorum};
use super::shared::Shared;

/// Between two looks at those who could take the leaders.
const LOOK: Duration = Duration::from_secs(1);
/// Looks in a row that must find nobody, so that one failed look-up of a name decides nothing.
const LOOKS: u32 = 2;

impl Quorum {
    /// Whether the metadata know another broker that could take one of this broker's leaders, now
    /// or once it is in sync.
    pub fn has_heirs(&self) -> bool {
        let me = self.shared.config.broker;
        !self.shared.image().heirs(me).is_empty()
    }

    /// Returns when nobody can take this broker's leaders any more: the metadata know no such
    /// broker, or the processes of all such brokers are gone, or those of so many voters that
    /// nothing can be decided. Brokers that stop all at once end as the metadata cannot be told
    /// any more, so these alone do not say it. Not before two seconds have passed. Cancel-safe.
    pub async fn without_heirs(&self) {
        let mut found_nobody = 0;
        while found_nobody < LOOKS {
            sleep(LOOK).await;
            if nobody_can_take(&self.shared, &self.members()).await {
                found_nobody += 1;
            } else {
                found_nobody = 0;
            }
        }
    }
}

async fn nobody_can_take(shared: &Arc<Shared>, members: &[Member]) -> bool {
    let image = shared.image();
    let heirs = image.heirs(shared.config.broker);
    if heirs.is_empty() {
        return true;
    }
    let voters: Vec<Option<BrokerId>> = members
        .iter()
        .filter(|m| m.voter)
        .map(|m| m.broker)
        .collect();
    let mut asked: BTreeSet<BrokerId> = voters.iter().flatten().copied().collect();
    asked.extend(&heirs);
    asked.remove(&shared.config.broker);
    let mut looks = JoinSet::new();
    for broker in asked.iter().filter_map(|id| image.brokers.get(id)) {
        let (shared, broker) = (Arc::clone(shared), Arc::clone(broker));
        looks.spawn(async move {
            let gone = controller::is_gone(&shared, &broker).await;
            gone.then_some(broker.id)
        });
    }
    let mut gone = BTreeSet::new();
    while let Some(looked) = looks.join_next().await {
        gone.extend(looked.ok().flatten());
    }
    // A voter whose broker is not known counts as there.
    let voters_left = voters
        .iter()
        .filter(|voter| voter.is_none_or(|b| !gone.contains(&b)))
        .count();
    heirs.is_subset(&gone) || voters_left <= voters.len() / 2
}
