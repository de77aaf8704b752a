//! The metadata image as openraft's state machine.

use futures::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine, Snapshot};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use std::io;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};
use weir_core::cluster::{ClusterReply, Image};

use super::record::{self, Kind};
use super::store::{Slot, Store};
use super::types::{Applied, Entry, LogId, Proposal, SnapshotMeta, StoredMembership, Types};

/// The snapshot on disk. Held while one is written, or a builder that was overtaken by an installed
/// snapshot would put its older one in its place, after the log up to the newer one is gone.
type Current = Arc<Mutex<Option<(SnapshotMeta, Arc<Image>)>>>;
type ImageSnapshot = openraft::type_config::alias::SnapshotOf<Types, Arc<Image>>;

/// Applies entries to the image and publishes each new one.
///
/// The image lives in memory; what is on disk is its last snapshot and the log since.
pub struct Machine {
    store: Store,
    image: watch::Sender<Arc<Image>>,
    last_applied: Option<LogId>,
    membership: StoredMembership,
    current: Current,
}

impl Machine {
    /// Loads the last snapshot, if there is one.
    pub async fn load(store: Store, image: watch::Sender<Arc<Image>>) -> io::Result<Self> {
        let mut machine = Self {
            store,
            image,
            last_applied: None,
            membership: StoredMembership::default(),
            current: Arc::default(),
        };
        if let Some(raw) = machine.store.get(Slot::Snapshot).await? {
            let (meta, image) = decode_snapshot(&raw)?;
            let image = Arc::new(image);
            *machine.current.lock().await = Some((meta.clone(), Arc::clone(&image)));
            machine.adopt(meta, image);
        }
        Ok(machine)
    }

    fn adopt(&mut self, meta: SnapshotMeta, image: Arc<Image>) {
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership;
        self.image.send_replace(image);
    }

    fn apply_one(&mut self, entry: &Entry) -> Applied {
        self.last_applied = Some(entry.log_id);
        match &entry.payload {
            EntryPayload::Normal(Proposal(command)) => {
                let (next, result) = self.image.borrow().apply(command);
                let version = next.version;
                self.image.send_replace(Arc::new(next));
                return Applied { version, result };
            }
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
            }
            EntryPayload::Blank => {}
        }
        Applied {
            version: self.image.borrow().version,
            result: Ok(ClusterReply::Done),
        }
    }
}

/// The newest layout of a snapshot. Version 2 ends with reassignments, cordons and retired nodes,
/// version 3 with the operator's epoch after them, version 4 with unclean brokers and awaited ends.
const SNAPSHOT_VERSION: u8 = 4;
/// How these six look at the end where there are none.
const NONE: [u8; 6] = [0; 6];
/// How many of them a version has.
const FIELDS_OF_V2: usize = 3;
const FIELDS_OF_V3: usize = 4;

/// A snapshot as it is stored and sent. As long as an older release would understand all of it,
/// it is written as that one writes it: brokers of both may be in one quorum.
pub fn encode_snapshot(meta: &SnapshotMeta, image: &Image) -> io::Result<Vec<u8>> {
    let plain = image.reassignments.is_empty()
        && image.cordoned.is_empty()
        && image.retired_nodes.is_empty();
    let all_sure = image.unclean.is_empty() && image.awaited_ends.is_empty();
    let (version, fields) = match (image.operator_epoch.0, plain) {
        _ if !all_sure => (SNAPSHOT_VERSION, NONE.len()),
        (0, true) => (1, 0),
        (0, false) => (2, FIELDS_OF_V2),
        _ => (3, FIELDS_OF_V3),
    };
    let left_out = NONE.len() - fields;
    let mut raw = record::encode_as(Kind::Snapshot, version, &(meta, image))?;
    raw.truncate(raw.len() - left_out);
    Ok(raw)
}

pub fn decode_snapshot(raw: &[u8]) -> io::Result<(SnapshotMeta, Image)> {
    let (version, body) = record::open(Kind::Snapshot, SNAPSHOT_VERSION, raw)?;
    let left_out = match version {
        1 => &NONE[..],
        2 => &NONE[FIELDS_OF_V2..],
        3 => &NONE[FIELDS_OF_V3..],
        _ => &[],
    };
    record::parse(Kind::Snapshot, &[body, left_out].concat())
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Arc<Image>;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let applied = self.apply_one(&entry);
            if let Some(responder) = responder {
                responder.send(applied);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        let meta = SnapshotMeta {
            last_log_id: self.last_applied,
            last_membership: self.membership.clone(),
        };
        Builder {
            store: self.store.clone(),
            meta,
            image: Arc::clone(&self.image.borrow()),
            current: Arc::clone(&self.current),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        image: Arc<Image>,
    ) -> Result<(), io::Error> {
        let mut current = self.current.lock().await;
        self.store
            .put(Slot::Snapshot, encode_snapshot(meta, &image)?)
            .await?;
        *current = Some((meta.clone(), Arc::clone(&image)));
        drop(current);
        self.adopt(meta.clone(), image);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<ImageSnapshot>, io::Error> {
        let current = self.current.lock().await.clone();
        Ok(current.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Writes one snapshot while entries go on being applied.
pub struct Builder {
    store: Store,
    meta: SnapshotMeta,
    image: Arc<Image>,
    current: Current,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = Arc<Image>;

    async fn build_snapshot(&mut self) -> Result<ImageSnapshot, io::Error> {
        let (meta, image) = (self.meta.clone(), Arc::clone(&self.image));
        let raw = tokio::task::spawn_blocking(move || encode_snapshot(&meta, &image))
            .await
            .map_err(io::Error::other)??;
        let mut current = self.current.lock().await;
        if let Some((meta, image)) = &*current
            && meta.last_log_id > self.meta.last_log_id
        {
            return Ok(Snapshot {
                meta: meta.clone(),
                snapshot: Arc::clone(image),
            });
        }
        self.store.put(Slot::Snapshot, raw).await?;
        *current = Some((self.meta.clone(), Arc::clone(&self.image)));
        Ok(Snapshot {
            meta: self.meta.clone(),
            snapshot: Arc::clone(&self.image),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::cluster::ClusterCommand;
    use weir_types::{BrokerId, FolderId, OperatorEpoch, RaftNodeId};

    fn formed() -> Image {
        let (image, reply) = Image::default().apply(&ClusterCommand::Form {
            cluster_id: "c".into(),
        });
        reply.expect("formed");
        image
    }

    #[test]
    fn a_snapshot_without_anything_new_is_written_as_version_one() {
        let meta = SnapshotMeta::default();
        let raw = encode_snapshot(&meta, &formed()).expect("encodes");
        assert_eq!(raw[..2], [Kind::Snapshot as u8, 1]);
        // What version 1 ended with: the next producer id.
        assert_eq!(raw.last(), Some(&0));
        let (_, image) = decode_snapshot(&raw).expect("decodes");
        assert_eq!(image, formed());
    }

    #[test]
    fn cordons_and_retired_nodes_are_in_version_two() {
        let meta = SnapshotMeta::default();
        let mut image = formed();
        image.cordoned.insert(BrokerId(4));
        image
            .retired_nodes
            .insert(FolderId::default(), RaftNodeId(7));
        let raw = encode_snapshot(&meta, &image).expect("encodes");
        assert_eq!(raw[..2], [Kind::Snapshot as u8, 2]);
        let (_, read) = decode_snapshot(&raw).expect("decodes");
        assert_eq!(read, image);
        let mut newer = raw;
        newer[1] = SNAPSHOT_VERSION + 1;
        assert!(decode_snapshot(&newer).is_err());
    }

    #[test]
    fn an_operators_epoch_is_in_version_three() {
        let meta = SnapshotMeta::default();
        let mut image = formed();
        image.operator_epoch = OperatorEpoch(4_711);
        let raw = encode_snapshot(&meta, &image).expect("encodes");
        assert_eq!(raw[..2], [Kind::Snapshot as u8, 3]);
        let (_, read) = decode_snapshot(&raw).expect("decodes");
        assert_eq!(read, image);
    }

    #[test]
    fn what_elections_wait_for_is_in_version_four() {
        let meta = SnapshotMeta::default();
        let mut image = formed();
        image.unclean.insert(BrokerId(2));
        let raw = encode_snapshot(&meta, &image).expect("encodes");
        assert_eq!(raw[..2], [Kind::Snapshot as u8, 4]);
        let (_, read) = decode_snapshot(&raw).expect("decodes");
        assert_eq!(read, image);
    }
}
