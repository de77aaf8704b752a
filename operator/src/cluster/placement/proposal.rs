use std::fmt;

use super::{Reassignment, sized};

/// What should move, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The largest first.
    pub moves: Vec<Reassignment>,
    /// Partitions that should move too, but not before more of their replicas are in sync.
    pub waiting: Vec<String>,
    /// In plain words.
    pub reason: String,
}

impl Proposal {
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    /// To be copied over the network.
    pub fn bytes(&self) -> u64 {
        self.moves.iter().map(|m| m.bytes).sum()
    }

    /// What it costs and what for.
    pub fn summary(&self) -> String {
        let (n, size) = (self.moves.len(), sized(self.bytes()));
        let partitions = if n == 1 { "partition" } else { "partitions" };
        format!("{n} {partitions}, {size} to copy: {}", self.reason)
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary())?;
        for one in &self.moves {
            writeln!(f, "  {one}")?;
        }
        for name in &self.waiting {
            writeln!(f, "  {name} waits for its replicas")?;
        }
        Ok(())
    }
}
