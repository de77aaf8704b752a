//! Answers other brokers' replication requests.

use async_trait::async_trait;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::commands::{Position, Positions, ShardCommand};
use super::super::hub::Hub;
use super::super::metrics::add;
use super::super::wire::{
    self, Change, FetchAnswer, FetchRequest, KIND_FETCH, KIND_POKE, KIND_REPORT, ReportRequest,
    SessionKey,
};
use super::collect::Collected;
use super::{Session, Verdict};
use crate::peer::{PeerFault, PeerService};

/// Most bytes of one answer, whatever the follower asks for (one batch more is possible).
pub(super) const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a follower's position may take to be checked before it is told to ask again.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

pub(in super::super) struct PartitionService {
    pub(in super::super) hub: Arc<Hub>,
}

#[async_trait]
impl PeerService for PartitionService {
    async fn handle(&self, kind: u16, body: Bytes) -> Result<Bytes, PeerFault> {
        match kind {
            KIND_FETCH => self.fetch(wire::decode(&body)?).await,
            KIND_POKE => {
                let key: SessionKey = wire::decode(&body)?;
                if let Some(session) = self.hub.sessions.find(key) {
                    session.poke();
                }
                Ok(Bytes::new())
            }
            KIND_REPORT => {
                self.report(wire::decode(&body)?);
                Ok(Bytes::new())
            }
            other => Err(PeerFault::UnknownKind(other)),
        }
    }
}

impl PartitionService {
    fn report(&self, request: ReportRequest) {
        let ReportRequest {
            follower,
            epoch,
            reports,
        } = request;
        let mut by_shard: HashMap<usize, Vec<wire::Report>> = HashMap::new();
        for report in reports {
            by_shard
                .entry(self.hub.shard_of(report.partition))
                .or_default()
                .push(report);
        }
        for (shard, reports) in by_shard {
            self.hub.inboxes[shard].push(ShardCommand::Reports(follower, epoch, reports));
        }
    }

    async fn fetch(&self, request: FetchRequest) -> Result<Bytes, PeerFault> {
        let key = request.session;
        let sessions = &self.hub.sessions;
        let session = if request.fresh {
            sessions.begin(key)
        } else {
            sessions.find(key)
        };
        let Some(session) = session else {
            let answer = FetchAnswer {
                unknown_session: true,
                ..FetchAnswer::default()
            };
            return Ok(wire::finish_answer(Vec::new(), &answer));
        };
        for id in &request.removed {
            session.remove(*id);
        }
        self.take_changes(&session, &request.changes).await;
        let wait = Duration::from_millis(u64::from(request.wait_ms)).min(WAIT_MAX);
        let collected = self
            .collect(&session, &request, Instant::now() + wait)
            .await;
        add(
            &self.hub.metrics.follower_fetched_bytes,
            collected.records.len(),
        );
        let body = wire::finish_answer(collected.records, &collected.answer);
        session.told(collected.told);
        Ok(body)
    }

    /// Waits for something to tell, until `deadline` or a poke.
    async fn collect(
        &self,
        session: &Session,
        request: &FetchRequest,
        deadline: Instant,
    ) -> Collected {
        let mut stopping = self.hub.stopping.subscribe();
        loop {
            let look_again = match session.take_ready(self.hub.config.high_watermark_delay) {
                Ok(ready) => {
                    let poked = ready.is_empty();
                    let mut collected = Collected::new(request);
                    ready.into_iter().for_each(|r| collected.add(r));
                    if poked || !collected.is_empty() {
                        return collected;
                    }
                    session.told(collected.told);
                    None
                }
                Err(at) => at,
            };
            let until = look_again.map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                () = session.wait() => {}
                () = sleep_until(until) => {}
                _ = stopping.wait_for(|stop| *stop) => return Collected::new(request),
            }
            if Instant::now() >= deadline {
                return Collected::new(request);
            }
        }
    }

    /// Tells the shards where the follower stands. Where it does not simply go on, its history is
    /// compared with the log first.
    async fn take_changes(&self, session: &Arc<Session>, changes: &[Change]) {
        let mut going_on: HashMap<usize, Vec<Position>> = HashMap::new();
        let mut to_compare: HashMap<usize, Vec<Change>> = HashMap::new();
        for change in changes {
            let shard = self.hub.shard_of(change.partition);
            if session.is_expected(change) {
                let position = Position {
                    change: *change,
                    compare: false,
                };
                going_on.entry(shard).or_default().push(position);
                self.enter(session, change, Verdict::Serve);
            } else {
                to_compare.entry(shard).or_default().push(*change);
            }
        }
        for (shard, items) in going_on {
            self.send(session, shard, items, None);
        }
        let mut compared = Vec::with_capacity(to_compare.len());
        for (shard, changes) in to_compare {
            let (reply, verdicts) = oneshot::channel();
            let position = |change: &Change| Position {
                change: *change,
                compare: true,
            };
            self.send(
                session,
                shard,
                changes.iter().map(position).collect(),
                Some(reply),
            );
            compared.push((changes, verdicts));
        }
        for (changes, verdicts) in compared {
            let verdicts = match timeout(CHECK_TIMEOUT, verdicts).await {
                Ok(Ok(verdicts)) => verdicts,
                _ => vec![Verdict::Refused; changes.len()],
            };
            for (change, verdict) in changes.iter().zip(verdicts) {
                self.enter(session, change, verdict);
            }
        }
    }

    fn send(
        &self,
        session: &Session,
        shard: usize,
        items: Vec<Position>,
        reply: Option<oneshot::Sender<Vec<Verdict>>>,
    ) {
        let (follower, epoch) = (session.key.follower, session.key.epoch);
        let positions = Positions {
            follower,
            epoch,
            items,
            reply,
        };
        self.hub.inboxes[shard].push(ShardCommand::Positions(Box::new(positions)));
    }

    fn enter(&self, session: &Arc<Session>, change: &Change, verdict: Verdict) {
        let shared = self.hub.table.get(change.partition);
        if let Some(shared) = &shared {
            shared.add_session(session);
        }
        session.change(change, verdict, shared);
    }
}
