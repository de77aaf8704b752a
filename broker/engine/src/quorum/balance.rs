//! Leaders go back where they belong.

use tracing::info;
use weir_core::cluster::{ClusterCommand, Image};
use weir_types::PartitionId;

use super::controller::decide;
use super::shared::{Node, Shared};

/// Gives partitions all in sync back to their preferred leaders, and takes leaders off cordoned.
pub(super) async fn give_back(shared: &Shared, node: &Node) {
    let partitions = displaced(&shared.image());
    if !partitions.is_empty() {
        info!(
            partitions = partitions.len(),
            "leaders go back to their preferred brokers"
        );
        decide(
            node,
            ClusterCommand::ElectPreferred {
                partitions: Some(partitions),
            },
        )
        .await;
    }
}

fn displaced(image: &Image) -> Vec<PartitionId> {
    let mut out = Vec::new();
    for topic in image.topics.values() {
        for (index, partition) in (0..).zip(&topic.partitions) {
            let all_in_sync = partition.replicas.iter().all(|r| partition.isr.contains(r));
            let leads_cordoned = partition.leader.is_some_and(|b| image.is_cordoned(b));
            if partition.leader.is_some()
                && (all_in_sync || leads_cordoned)
                && image.better_leader(partition).is_some()
            {
                out.push(PartitionId::new(topic.id, index));
            }
        }
    }
    out
}
