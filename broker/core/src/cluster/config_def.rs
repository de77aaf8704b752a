//! What there is to say about a config.

/// What values a config takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigKind {
    Boolean,
    /// Inclusive bounds.
    Int {
        min: i64,
        max: i64,
    },
    Long {
        min: i64,
        max: i64,
    },
    /// One of these.
    Choice(&'static [&'static str]),
    /// A comma-separated list of these.
    List(&'static [&'static str]),
    /// `*`, or a list of `partition:broker`.
    Replicas,
}

/// One config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigDef {
    pub name: &'static str,
    pub kind: ConfigKind,
    pub default: &'static str,
    /// Values that only internal topics may take yet.
    pub internal_only: &'static [&'static str],
    pub doc: &'static str,
}

impl ConfigDef {
    pub fn is_list(&self) -> bool {
        matches!(self.kind, ConfigKind::List(_) | ConfigKind::Replicas)
    }

    /// Kafka's type code: 1 boolean, 2 string, 3 int, 5 long, 7 list.
    pub fn type_code(&self) -> i8 {
        match self.kind {
            ConfigKind::Boolean => 1,
            ConfigKind::Choice(_) => 2,
            ConfigKind::Int { .. } => 3,
            ConfigKind::Long { .. } => 5,
            ConfigKind::List(_) | ConfigKind::Replicas => 7,
        }
    }
}
