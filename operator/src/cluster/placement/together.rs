use std::collections::BTreeSet;

use super::ReplicaMap;

/// Whether every partition stays above its min ISR while all of these brokers are away.
///
/// # Errors
/// The first partition that would not, and why.
pub fn stoppable(map: &ReplicaMap, away: &BTreeSet<i32>) -> Result<(), String> {
    for partition in &map.partitions {
        let touched = partition.replicas.iter().any(|b| away.contains(b));
        if !touched {
            continue;
        }
        let left = partition.isr.iter().filter(|b| !away.contains(b)).count();
        if left < partition.min_isr.max(1) {
            let (name, wanted) = (partition.name(), partition.min_isr.max(1));
            return Err(format!(
                "{name} would have {left} of {wanted} replicas in sync"
            ));
        }
    }
    Ok(())
}

/// How many of so many brokers may be away at once whichever of them vote in the metadata
/// quorum: three vote, or five where there are so many.
pub fn tolerated(brokers: usize) -> usize {
    match brokers {
        0..=2 => 0,
        3 | 4 => 1,
        _ => 2,
    }
}
