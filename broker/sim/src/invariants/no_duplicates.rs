//! A sequence of an idempotent producer is committed once, and so is a record.

use std::collections::{BTreeMap, BTreeSet};

use weir_types::{Offset, PartitionId};

use super::Violation;
use crate::records::{Batch, Sequence};

#[derive(Debug, Default)]
pub struct NoDuplicates {
    sequences: BTreeMap<(PartitionId, Sequence), Offset>,
    keys: BTreeSet<u64>,
}

impl NoDuplicates {
    /// A batch that is committed for the first time.
    pub fn committed(&mut self, partition: PartitionId, batch: &Batch) -> Result<(), Violation> {
        let property = "no duplicate of an idempotent sequence";
        let before = self
            .sequences
            .insert((partition, batch.sequence), batch.base);
        if let Some(before) = before {
            let detail = format!(
                "partition {}: {:?} at {before} and at {}",
                partition.index, batch.sequence, batch.base
            );
            return Err(Violation::new(property, detail));
        }
        match batch.keys.iter().find(|k| !self.keys.insert(**k)) {
            None => Ok(()),
            Some(key) => {
                let detail = format!("record {key} again at {}", batch.base);
                Err(Violation::new(property, detail))
            }
        }
    }
}
