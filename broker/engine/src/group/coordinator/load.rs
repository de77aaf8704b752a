use std::{collections::BTreeMap, time::Duration};
use tracing::{error, warn};
use weir_api::{Error, Result};
use weir_core::group::{Group, GroupConfig, Offsets, Snapshot, Time};
use weir_types::{Offset, PartitionId};

use super::entry::Entry;
use crate::group::{
    format::{self, Key},
    log::{LogRecord, OffsetsLog},
};

const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// What a partition of the offsets topic says.
#[derive(Default)]
struct Loaded {
    groups: BTreeMap<String, (Option<Snapshot>, Offsets)>,
    skipped: u64,
}

/// Reads the whole partition, and tries until it works: the replica may just be becoming leader.
/// Cancel-safe.
pub(super) async fn load(
    log: &dyn OffsetsLog,
    partition: PartitionId,
    config: GroupConfig,
    now: Time,
) -> BTreeMap<String, Entry> {
    let mut retry = RETRY_MIN;
    let loaded = loop {
        match read_all(log, partition).await {
            Ok(loaded) => break loaded,
            Err(error) => {
                if matches!(error, Error::Storage(_) | Error::CorruptMessage(_)) {
                    error!(%partition, %error, "cannot load groups, trying again");
                }
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
    };
    if loaded.skipped > 0 {
        warn!(%partition, count = loaded.skipped, "records of unknown kinds were skipped");
    }
    let entry = |(id, (snapshot, offsets)): (String, (Option<Snapshot>, Offsets))| {
        let written = snapshot.is_some();
        let group = match snapshot {
            Some(snapshot) => Group::load(config, snapshot),
            None if offsets.is_empty() => return None,
            None => Group::new(config, now),
        };
        Some((
            id,
            Entry {
                group,
                offsets,
                written,
                deadline: None,
                watched: None,
            },
        ))
    };
    loaded.groups.into_iter().filter_map(entry).collect()
}

async fn read_all(log: &dyn OffsetsLog, partition: PartitionId) -> Result<Loaded> {
    let (mut next, _) = log.bounds(partition).ok_or(Error::OffsetNotAvailable)?;
    let mut loaded = Loaded::default();
    loop {
        let page = log.read(partition, next).await?;
        for record in page.records {
            loaded.apply(partition, record);
        }
        if page.next >= page.high_watermark {
            return Ok(loaded);
        }
        if page.next <= next {
            return Err(no_progress(next));
        }
        next = page.next;
    }
}

fn no_progress(at: Offset) -> Error {
    Error::Storage(format!(
        "nothing can be read at offset {at}, below the high watermark"
    ))
}

impl Loaded {
    fn apply(&mut self, partition: PartitionId, record: LogRecord) {
        let result = match format::read_key(record.key) {
            Ok(Key::Offset { group, key }) => {
                let value = record.value.map(format::read_offset).transpose();
                value.map(|v| self.groups.entry(group).or_default().1.apply(key, v))
            }
            Ok(Key::Group { group }) => {
                let value = record.value.map(format::read_group).transpose();
                value.map(|v| self.groups.entry(group).or_default().0 = v)
            }
            Ok(Key::Unknown(_)) => {
                self.skipped += 1;
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            error!(%partition, %error, "a record of the offsets topic cannot be read; skipped");
        }
    }
}
