//! What groups have still to consume, gathered from the brokers that know it.
//!
//! A [`Watcher`] stands behind one stream of reports. For each report it asks every broker at most
//! one question, about the groups that it coordinates and the partitions that it leads; topics
//! that only the answers brought up are asked after once more. Who does not answer is named in the
//! report, and the figures stay the last known.

mod answer;
pub(super) mod consumer;
mod known;
mod questions;
mod rate;
mod reasons;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use futures::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use weir_api::{BacklogReport, BacklogWatch, WatchedGroup};
use weir_types::BrokerId;

use super::Groups;
use known::Known;
pub(super) use wire::{Answer, GroupFigures, MemberFigures, Question};

impl Groups {
    /// Begins to observe backlogs. With `keep_offsets` committed offsets of the groups do not
    /// expire while they are asked about.
    pub fn watch_backlog(&self, keep_offsets: bool) -> Box<dyn BacklogWatch> {
        Box::new(Watcher {
            groups: self.clone(),
            keep_offsets,
            began: Instant::now(),
            known: Known::default(),
        })
    }
}

struct Watcher {
    groups: Groups,
    keep_offsets: bool,
    /// Zero of the clock of what is known.
    began: Instant,
    known: Known,
}

#[async_trait]
impl BacklogWatch for Watcher {
    async fn report(&mut self, watched: &[WatchedGroup], patience: Duration) -> BacklogReport {
        let image = self.groups.inner.image();
        self.known.begin(watched, &image);
        let asked = questions::all(&image, watched, &mut self.known, self.keep_offsets);
        self.ask(asked, patience).await;
        // Partitions that this round was the first to name.
        let more = questions::unseen(&image, watched, &mut self.known);
        if !more.is_empty() {
            self.ask(more, patience).await;
        }
        let at_ms = (self.groups.inner.config.clock)().0;
        let groups = self.known.report(watched, &image, self.now_ms());
        BacklogReport { at_ms, groups }
    }
}

impl Watcher {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// All at once: a slow broker holds back no other's answer, and no report for longer than
    /// `patience`.
    async fn ask(&mut self, questions: BTreeMap<BrokerId, Question>, patience: Duration) {
        let asked = questions.into_iter().map(|(broker, question)| {
            let groups = self.groups.clone();
            async move {
                let answer = timeout(patience, groups.ask_backlog(broker, &question)).await;
                let answer = answer.unwrap_or_else(|_| {
                    Err(format!("no answer within {} ms", patience.as_millis()))
                });
                (broker, question, answer, Instant::now())
            }
        });
        for (broker, question, answer, at) in join_all(asked).await {
            let at_ms = u64::try_from((at - self.began).as_millis()).unwrap_or(u64::MAX);
            match answer {
                Ok(answer) => self.known.learn(at_ms, &question, answer),
                Err(why) => self.known.silent(broker, &question, &why),
            }
        }
    }
}

impl Groups {
    async fn ask_backlog(&self, broker: BrokerId, question: &Question) -> Result<Answer, String> {
        let log = &self.inner.log;
        if broker == log.broker() {
            return Ok(self.answer_backlog(question).await);
        }
        log.ask_backlog(broker, question).await
    }
}
