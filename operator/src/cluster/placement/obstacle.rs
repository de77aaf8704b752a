use std::fmt;

/// Why replicas cannot go elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// There would be fewer brokers than some topics have replicas.
    ReplicationFactor {
        /// Topics with more replicas than brokers, and how many.
        examples: Vec<(String, usize)>,
        topics: usize,
        left: usize,
    },
    /// There is no broker that does not have the partition already.
    NoSpareBroker {
        examples: Vec<String>,
        partitions: usize,
    },
}

/// Names that a message holds.
pub(super) const EXAMPLES: usize = 3;

impl Obstacle {
    pub fn reason(&self) -> &'static str {
        match self {
            Obstacle::ReplicationFactor { .. } => "ReplicationFactor",
            Obstacle::NoSpareBroker { .. } => "NoSpareBroker",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::ReplicationFactor {
                examples,
                topics,
                left,
            } => {
                let some: Vec<String> = examples
                    .iter()
                    .map(|(topic, factor)| format!("{topic} ({factor} replicas)"))
                    .collect();
                let list = some.join(", ");
                let more = more(*topics, some.len());
                write!(f, "{left} brokers would be left, too few for {list}{more}")
            }
            Obstacle::NoSpareBroker {
                examples,
                partitions,
            } => {
                let more = more(*partitions, examples.len());
                let list = examples.join(", ");
                write!(f, "no other broker can take a replica of {list}{more}")
            }
        }
    }
}

fn more(all: usize, named: usize) -> String {
    match all.saturating_sub(named) {
        0 => String::new(),
        n => format!(" and {n} more"),
    }
}
