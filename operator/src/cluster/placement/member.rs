/// A broker that can hold replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    pub id: i32,
    pub rack: Option<String>,
    /// The quorum does not count on it now.
    pub fenced: bool,
    /// It is to get no more replicas.
    pub cordoned: bool,
}

impl Member {
    /// Whether a replica may be put there.
    pub fn takes_replicas(&self) -> bool {
        !self.fenced && !self.cordoned
    }
}
