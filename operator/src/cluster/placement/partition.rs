/// One partition as the brokers describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    pub topic: String,
    pub index: i32,
    pub leader: Option<i32>,
    /// In order of preference for leadership; while it moves, those it is to have.
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    /// Of `replicas`, those that are still being filled.
    pub adding: Vec<i32>,
    /// Not of `replicas`: those that go when the others are in sync.
    pub removing: Vec<i32>,
    /// Replicas that must be in sync for a write with acks=all.
    pub min_isr: usize,
    /// Size of its log, as far as any broker told.
    pub bytes: u64,
}

impl Partition {
    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.index)
    }

    pub fn is_moving(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }

    /// Whether the broker has, or is to have, any of it.
    pub fn is_on(&self, broker: i32) -> bool {
        self.replicas.contains(&broker) || self.removing.contains(&broker)
    }

    /// Whether as many replicas are in sync once it lies on `to` as its writers ask for, and it
    /// can be moved at all: a copy needs a leader to copy from.
    pub fn may_move_to(&self, to: &[i32]) -> bool {
        let added = to.iter().filter(|b| !self.replicas.contains(b)).count();
        let kept = self.isr.iter().filter(|b| to.contains(b)).count();
        let wanted = self.min_isr.min(to.len()).max(1);
        !self.is_moving() && self.leader.is_some() && kept + added >= wanted
    }
}
