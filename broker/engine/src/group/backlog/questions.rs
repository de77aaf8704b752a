//! Whom to ask what: from the metadata, the groups that are watched, and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use weir_api::WatchedGroup;
use weir_core::cluster::{Image, Topic};
use weir_types::{BrokerId, PartitionId, TopicId};

use super::known::{Known, Wanted};
use super::wire::Question;
use crate::group::groups::coordinator_of;

type Partitions = BTreeMap<BrokerId, BTreeMap<TopicId, Vec<i32>>>;

/// One question a broker: the watched groups that it coordinates, and the partitions that it leads
/// of topics known so far.
pub(super) fn all(
    image: &Image,
    watched: &[WatchedGroup],
    known: &mut Known,
    keep_offsets: bool,
) -> BTreeMap<BrokerId, Question> {
    let mut asked: BTreeMap<BrokerId, Question> = BTreeMap::new();
    let names: BTreeSet<&String> = watched.iter().map(|w| &w.group).collect();
    for group in names {
        match coordinator_of(image, group) {
            // Without the topic of offsets there is no group.
            Ok(None) => known.absent(group),
            Ok(Some(broker)) => {
                let question = asked.entry(broker).or_default();
                question.keep_offsets = keep_offsets;
                question.groups.push(group.clone());
            }
            Err(_) => known.group_trouble(group, "its coordinator is not available"),
        }
    }
    add(partitions(image, watched, known), &mut asked);
    asked
}

/// Only the partitions that [`all`] did not know of.
pub(super) fn unseen(
    image: &Image,
    watched: &[WatchedGroup],
    known: &mut Known,
) -> BTreeMap<BrokerId, Question> {
    let mut asked = BTreeMap::new();
    add(partitions(image, watched, known), &mut asked);
    asked
}

fn add(partitions: Partitions, asked: &mut BTreeMap<BrokerId, Question>) {
    for (broker, topics) in partitions {
        asked.entry(broker).or_default().partitions = topics.into_iter().collect();
    }
}

fn partitions(image: &Image, watched: &[WatchedGroup], known: &mut Known) -> Partitions {
    let mut found = Partitions::new();
    for watch in watched {
        for name in known.topics_of(watch) {
            if let Some(topic) = image.topic_by_name(&name) {
                partitions_of(image, topic, known, &mut found);
            }
        }
    }
    found
}

fn partitions_of(image: &Image, topic: &Topic, known: &mut Known, found: &mut Partitions) {
    for (index, partition) in (0..).zip(&topic.partitions) {
        let id = PartitionId::new(topic.id, index);
        match known.want(id) {
            Wanted::Already => {}
            Wanted::TooMany => known.trouble(id, &"too many partitions for one report".into()),
            Wanted::Now => match partition.leader.filter(|b| image.is_live(*b)) {
                None => known.trouble(id, &"no leader now".into()),
                Some(leader) => {
                    let topics = found.entry(leader).or_default();
                    topics.entry(topic.id).or_default().push(index);
                }
            },
        }
    }
}
