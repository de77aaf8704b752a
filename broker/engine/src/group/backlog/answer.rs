//! What this broker knows itself: the groups that it coordinates, the partitions that it leads.

use futures::future::join_all;
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use weir_types::PartitionId;

use super::wire::{
    ANSWER_BYTES_MAX, Answer, GROUPS_MAX, GroupAnswer, GroupFigures, PARTITIONS_MAX, Question,
};
use crate::group::Groups;
use crate::group::coordinator::Command;

impl Groups {
    /// Answers from what is in memory. Waits for no disk and no other broker.
    pub(in crate::group) async fn answer_backlog(&self, question: &Question) -> Answer {
        let too_many =
            question.groups.len() > GROUPS_MAX || question.partition_count() > PARTITIONS_MAX;
        if too_many {
            let refused = GroupAnswer::Failed("too much in one question".to_owned());
            return Answer {
                groups: vec![refused; question.groups.len().min(GROUPS_MAX)],
                bounds: Vec::new(),
            };
        }
        let bounds = question.partitions.iter().map(|(topic, indexes)| {
            let of = |index: &i32| {
                let bounds = self.inner.log.bounds(PartitionId::new(*topic, *index));
                bounds.map(|(start, end)| (start.0, end.0))
            };
            indexes.iter().map(of).collect()
        });
        // Ends before commits: a backlog seen too small by a moment wakes nobody for nothing.
        let bounds = bounds.collect();
        let groups = self.group_answers(question).await;
        Answer { groups, bounds }
    }

    async fn group_answers(&self, question: &Question) -> Vec<GroupAnswer> {
        let mut answers = vec![GroupAnswer::Unknown; question.groups.len()];
        let mut by_coordinator: BTreeMap<PartitionId, Vec<usize>> = BTreeMap::new();
        for (at, group) in question.groups.iter().enumerate() {
            match self.inner.partition_of(group) {
                Ok(partition) => by_coordinator.entry(partition).or_default().push(at),
                Err(error) => answers[at] = GroupAnswer::Failed(error.to_string()),
            }
        }
        let asked = by_coordinator.into_iter().map(|(partition, places)| {
            let names: Vec<String> = places.iter().map(|p| question.groups[*p].clone()).collect();
            async move {
                let figures = self.figures(partition, names, question.keep_offsets).await;
                (places, figures)
            }
        });
        let mut room = ANSWER_BYTES_MAX;
        for (places, figures) in join_all(asked).await {
            let mut figures = figures.map(Vec::into_iter);
            for at in places {
                answers[at] = match &mut figures {
                    Err(why) => GroupAnswer::Failed(why.clone()),
                    Ok(figures) => fitting(figures.next().flatten(), &mut room),
                };
            }
        }
        answers
    }

    async fn figures(
        &self,
        partition: PartitionId,
        groups: Vec<String>,
        keep_offsets: bool,
    ) -> Result<Vec<Option<GroupFigures>>, String> {
        let queue = self
            .inner
            .slots
            .find(partition)
            .map_err(|e| e.to_string())?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Figures {
            groups,
            keep_offsets,
            reply,
        };
        let gone = |()| "the group's coordinator is elsewhere".to_owned();
        queue.send(command).await.map_err(|_| gone(()))?;
        match answer.await {
            Ok(figures) => figures.map_err(|e| e.to_string()),
            Err(_) => Err(gone(())),
        }
    }
}

fn fitting(figures: Option<GroupFigures>, room: &mut usize) -> GroupAnswer {
    let Some(figures) = figures else {
        return GroupAnswer::Unknown;
    };
    match room.checked_sub(figures.weight()) {
        Some(left) => {
            *room = left;
            GroupAnswer::Known(figures)
        }
        None => GroupAnswer::Failed("too much for one answer".to_owned()),
    }
}
