use std::collections::BTreeMap;
use weir_core::group::MemberView;

use super::{Coordinator, entry::Entry};
use crate::group::backlog::{GroupFigures, MemberFigures, consumer};

impl Coordinator {
    pub(super) fn figures(
        &mut self,
        groups: &[String],
        keep_offsets: bool,
    ) -> Vec<Option<GroupFigures>> {
        let now = self.now().steady;
        let one = |id: &String| {
            let entry = self.groups.get_mut(id)?;
            if keep_offsets {
                entry.watched = Some(now);
            }
            Some(figures_of(entry))
        };
        groups.iter().map(one).collect()
    }
}

fn figures_of(entry: &Entry) -> GroupFigures {
    let group = &entry.group;
    let mut committed: BTreeMap<&str, Vec<(i32, i64)>> = BTreeMap::new();
    for (key, offset) in entry.offsets.iter() {
        let topic = committed.entry(&key.topic).or_default();
        topic.push((key.index, offset.offset.0));
    }
    GroupFigures {
        state: group.state().name().to_owned(),
        assignor: group.protocol().to_owned(),
        generation: group.generation(),
        members: group.members().into_iter().map(member).collect(),
        committed: committed
            .into_iter()
            .map(|(topic, offsets)| (topic.to_owned(), offsets))
            .collect(),
    }
}

fn member(member: MemberView) -> MemberFigures {
    // Kafka writes an address with the name that it was resolved from before it: none.
    let host = member.client_host;
    MemberFigures {
        id: member.member,
        instance: member.instance,
        client_id: member.client_id,
        host: host.strip_prefix('/').map_or(host.clone(), str::to_owned),
        assigned: consumer::assigned(&member.assignment),
        subscribed: consumer::subscribed(&member.metadata),
    }
}
