use tracing::warn;
use weir_api::{CommitOffset, CommittedOffset, Error, Result, TopicPartitionName};
use weir_core::cluster::Image;
use weir_core::group::{Claim, Committed, Group, OffsetKey, Time};
use weir_types::{LeaderEpoch, Offset};

use super::{
    Coordinator, Reply,
    entry::Entry,
    writer::{Done, Write},
};
use crate::group::{convert, format, log::LogRecord};

type Outcomes = Vec<Result<()>>;

impl Coordinator {
    pub(super) fn commit(
        &mut self,
        id: &str,
        claim: &Claim,
        offsets: Vec<CommitOffset>,
        reply: Reply<Outcomes>,
    ) {
        let now = self.now();
        if let Err(error) = self.check_commit(id, claim, now) {
            let _ = reply.send(Err(error));
            return;
        }
        let image = self.metadata.borrow().clone();
        let mut records = Vec::new();
        let mut entries = Vec::new();
        let mut outcomes = Vec::with_capacity(offsets.len());
        for offset in offsets {
            let outcome = self.check_offset(&image, &offset).and_then(|()| {
                let (key, committed) = committed(offset, now);
                records.push(commit_record(id, &key, &committed)?);
                entries.push((key, committed));
                Ok(())
            });
            outcomes.push(outcome);
        }
        if let Some(entry) = self.groups.get_mut(id) {
            entries.iter().for_each(|(key, _)| entry.offsets.begin(key));
        }
        self.settle(id);
        if records.is_empty() {
            let _ = reply.send(Ok(outcomes));
            return;
        }
        let done = Done::Committed {
            entries,
            outcomes,
            reply,
        };
        self.writer.push(Write {
            group: id.to_owned(),
            records,
            done,
        });
    }

    /// A group that nobody has joined comes into being with its first commit by hand.
    fn check_commit(&mut self, id: &str, claim: &Claim, now: Time) -> Result<()> {
        if let Some(entry) = self.groups.get_mut(id) {
            return entry.group.check_commit(now, claim).map_err(convert::error);
        }
        if claim.generation >= 0 {
            return Err(Error::IllegalGeneration);
        }
        if self.groups.len() >= self.config.groups_max {
            return Err(Error::Busy("too many groups".to_owned()));
        }
        let group = Group::new(self.settings(), now);
        self.groups.insert(id.to_owned(), Entry::new(group));
        Ok(())
    }

    fn check_offset(&self, image: &Image, offset: &CommitOffset) -> Result<()> {
        let topic = image.topic_by_name(&offset.partition.topic);
        let index = usize::try_from(offset.partition.index).ok();
        let exists = topic
            .zip(index)
            .is_some_and(|(t, i)| i < t.partitions.len());
        if !exists {
            return Err(Error::UnknownTopicOrPartition);
        }
        if offset.metadata.len() > self.config.offset_metadata_bytes_max {
            return Err(Error::OffsetMetadataTooLarge);
        }
        Ok(())
    }

    pub(super) fn committed(
        &self,
        id: &str,
        partitions: Option<Vec<TopicPartitionName>>,
    ) -> Vec<CommittedOffset> {
        let offsets = self.groups.get(id).map(|e| &e.offsets);
        match partitions {
            Some(partitions) => partitions
                .into_iter()
                .map(|p| {
                    let found = offsets.and_then(|o| o.get(&convert::key(&p)));
                    view(p, found)
                })
                .collect(),
            None => offsets
                .into_iter()
                .flat_map(|o| o.iter())
                .map(|(key, committed)| view(convert::name(key), Some(committed)))
                .collect(),
        }
    }

    pub(super) fn delete_offsets(
        &mut self,
        id: &str,
        partitions: &[TopicPartitionName],
        reply: Reply<Outcomes>,
    ) {
        let Some(entry) = self.groups.get(id) else {
            let _ = reply.send(Err(Error::GroupIdNotFound));
            return;
        };
        let mut keys = Vec::new();
        let mut outcomes = Vec::with_capacity(partitions.len());
        for partition in partitions {
            match entry
                .group
                .check_delete_offset(&partition.topic)
                .map_err(convert::error)
            {
                // Of the group as a whole.
                Err(error @ (Error::GroupIdNotFound | Error::NonEmptyGroup)) => {
                    let _ = reply.send(Err(error));
                    return;
                }
                outcome => {
                    let key = convert::key(partition);
                    if outcome.is_ok() && entry.offsets.holds(&key) {
                        keys.push(key);
                    }
                    outcomes.push(outcome);
                }
            }
        }
        if keys.is_empty() {
            let _ = reply.send(Ok(outcomes));
            return;
        }
        self.write_tombstones(id, keys, Some((outcomes, reply)));
    }

    pub(super) fn topics_deleted(&mut self, names: &[String]) {
        let mut doomed = Vec::new();
        for (id, entry) in &self.groups {
            let keys: Vec<OffsetKey> = names
                .iter()
                .flat_map(|name| entry.offsets.of_topic(name))
                .collect();
            if !keys.is_empty() {
                doomed.push((id.clone(), keys));
            }
        }
        for (id, keys) in doomed {
            self.write_tombstones(&id, keys, None);
        }
    }

    pub(super) fn write_tombstones(
        &mut self,
        id: &str,
        keys: Vec<OffsetKey>,
        reply: Option<(Outcomes, Reply<Outcomes>)>,
    ) {
        let records = tombstones(id, &keys);
        if let Some(entry) = self.groups.get_mut(id) {
            keys.iter().for_each(|key| entry.offsets.begin(key));
        }
        let done = Done::OffsetsDeleted { keys, reply };
        self.writer.push(Write {
            group: id.to_owned(),
            records,
            done,
        });
    }

    /// An append is over: makes it visible, or undoes what was begun, and answers.
    pub(super) fn written(&mut self, writes: Vec<Write>, result: &Result<()>) {
        if let Err(error) = result {
            warn!(partition = %self.partition, %error, "cannot write to the offsets topic");
        }
        for write in writes {
            let outcome = result.as_ref().map_err(convert::write_error).copied();
            let id = write.group;
            match write.done {
                Done::Persisted(persist) => {
                    let now = self.now();
                    let mut out = Vec::new();
                    if let Some(entry) = self.groups.get_mut(&id) {
                        entry.group.persisted(now, persist, outcome, &mut out);
                    }
                    self.carry_out(&id, out);
                }
                Done::Committed {
                    entries,
                    outcomes,
                    reply,
                } => {
                    self.end_of_offsets(
                        &id,
                        entries.into_iter().map(|(k, c)| (k, Some(c))),
                        &outcome,
                    );
                    let _ = reply.send(Ok(spread(outcomes, outcome.map_err(convert::error))));
                }
                Done::OffsetsDeleted { keys, reply } => {
                    self.end_of_offsets(&id, keys.into_iter().map(|k| (k, None)), &outcome);
                    if let Some((outcomes, reply)) = reply {
                        let _ = reply.send(Ok(spread(outcomes, outcome.map_err(convert::error))));
                    }
                }
                Done::GroupDeleted { keys, reply } => {
                    self.group_deleted(&id, keys, outcome.map_err(convert::error), reply);
                }
            }
        }
    }

    fn end_of_offsets<E>(
        &mut self,
        id: &str,
        changes: impl Iterator<Item = (OffsetKey, Option<Committed>)>,
        outcome: &std::result::Result<(), E>,
    ) {
        let Some(entry) = self.groups.get_mut(id) else {
            return;
        };
        for (key, committed) in changes {
            entry.offsets.end(&key);
            if outcome.is_ok() {
                entry.offsets.apply(key, committed);
            }
        }
        self.settle(id);
    }
}

/// A failed write is the outcome of each that would have been fine.
fn spread(mut outcomes: Outcomes, written: Result<()>) -> Outcomes {
    if let Err(error) = written {
        outcomes
            .iter_mut()
            .filter(|o| o.is_ok())
            .for_each(|o| *o = Err(error.clone()));
    }
    outcomes
}

fn committed(offset: CommitOffset, now: Time) -> (OffsetKey, Committed) {
    let committed = Committed {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: offset.metadata,
        committed_at: now.unix,
        expires_at: offset.retention_ms.map(|ms| now.unix.plus(ms)),
    };
    let TopicPartitionName { topic, index } = offset.partition;
    (OffsetKey { topic, index }, committed)
}

fn commit_record(group: &str, key: &OffsetKey, committed: &Committed) -> Result<LogRecord> {
    let internal = |e: format::FormatError| Error::InvalidRequest(e.to_string());
    let value = format::write_offset(committed).map_err(internal)?;
    Ok(LogRecord {
        key: format::write_offset_key(group, key).map_err(internal)?,
        value: Some(value),
    })
}

/// Names that were written once can be written again.
pub(super) fn tombstones(group: &str, keys: &[OffsetKey]) -> Vec<LogRecord> {
    keys.iter()
        .filter_map(|key| format::write_offset_key(group, key).ok())
        .map(|key| LogRecord { key, value: None })
        .collect()
}

fn view(partition: TopicPartitionName, committed: Option<&Committed>) -> CommittedOffset {
    match committed {
        Some(c) => CommittedOffset {
            partition,
            offset: c.offset,
            leader_epoch: c.leader_epoch,
            metadata: c.metadata.clone(),
        },
        None => CommittedOffset {
            partition,
            offset: Offset(-1),
            leader_epoch: LeaderEpoch::NONE,
            metadata: String::new(),
        },
    }
}
