use std::collections::BTreeMap;
use weir_types::{LeaderEpoch, Millis, Offset};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetKey {
    pub topic: String,
    pub index: i32,
}

/// What a group has committed for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: Offset,
    /// [`LeaderEpoch::NONE`] where the client did not say.
    pub leader_epoch: LeaderEpoch,
    pub metadata: String,
    /// Unix time.
    pub committed_at: Millis,
    /// Unix time; only commits of very old clients name one.
    pub expires_at: Option<Millis>,
}

/// The committed offsets of a group, as far as they are written, and how many writes are under
/// way for each partition: an offset about to be replaced must not expire.
#[derive(Clone, Debug, Default)]
pub struct Offsets {
    committed: BTreeMap<OffsetKey, Committed>,
    pending: BTreeMap<OffsetKey, u32>,
}

impl Offsets {
    pub fn get(&self, key: &OffsetKey) -> Option<&Committed> {
        self.committed.get(key)
    }

    /// In order of topic and index.
    pub fn iter(&self) -> impl Iterator<Item = (&OffsetKey, &Committed)> {
        self.committed.iter()
    }

    /// Nothing is committed, nor about to be.
    pub fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.is_empty()
    }

    pub fn is_pending(&self, key: &OffsetKey) -> bool {
        self.pending.contains_key(key)
    }

    /// A write for this partition is under way; [`Self::end`] must follow.
    pub fn begin(&mut self, key: &OffsetKey) {
        *self.pending.entry(key.clone()).or_default() += 1;
    }

    /// The write is over, well or not.
    pub fn end(&mut self, key: &OffsetKey) {
        if let Some(count) = self.pending.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.pending.remove(key);
            }
        }
    }

    /// What was written, or read from the log; `None`: a tombstone.
    pub fn apply(&mut self, key: OffsetKey, committed: Option<Committed>) {
        match committed {
            Some(committed) => self.committed.insert(key, committed),
            None => self.committed.remove(&key),
        };
    }

    /// Something is committed for this partition, or about to be.
    pub fn holds(&self, key: &OffsetKey) -> bool {
        self.committed.contains_key(key) || self.pending.contains_key(key)
    }

    /// All partitions for which something is committed, or about to be.
    pub fn keys(&self) -> Vec<OffsetKey> {
        let about_to_be = self
            .pending
            .keys()
            .filter(|key| !self.committed.contains_key(key));
        self.committed.keys().chain(about_to_be).cloned().collect()
    }

    /// Those of one topic, pending ones too.
    pub fn of_topic(&self, topic: &str) -> Vec<OffsetKey> {
        let first = OffsetKey {
            topic: topic.to_owned(),
            index: i32::MIN,
        };
        let committed = self.committed.range(first.clone()..).map(|(key, _)| key);
        let pending = self.pending.range(first..).map(|(key, _)| key);
        let mut keys: Vec<OffsetKey> = committed
            .take_while(|key| key.topic == topic)
            .chain(pending.take_while(|key| key.topic == topic))
            .cloned()
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }
}
