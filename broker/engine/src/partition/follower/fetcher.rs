//! Pulls the records of one shard's partitions from one leader.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::{debug, warn};
use weir_types::{BrokerId, Offset, PartitionId};

use super::super::commands::{
    AfterFetch, FetchOutcome, FetchPosition, Fetched, FetchedItem, ShardCommand,
};
use super::super::hub::Hub;
use super::super::wire::{self, FetchAnswer, FetchRequest, KIND_FETCH, KIND_POKE, SessionKey};
use super::pace::Pace;
use super::session::Session;
use crate::peer::{Class, PeerError};

/// On top of the time that the leader may hold a fetch.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const POKE_TIMEOUT: Duration = Duration::from_secs(2);
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What the shard wants fetched: the newest word on each partition.
#[derive(Default)]
pub(super) struct FetcherInbox {
    pending: Mutex<HashMap<PartitionId, Option<FetchPosition>>>,
    ready: Notify,
}

impl FetcherInbox {
    pub(super) fn set(&self, id: PartitionId, to: Option<FetchPosition>) {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, to);
        self.ready.notify_one();
    }

    fn take(&self) -> HashMap<PartitionId, Option<FetchPosition>> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn address_of(hub: &Hub, broker: BrokerId) -> Option<String> {
    hub.metadata
        .image()
        .brokers
        .get(&broker)
        .map(|b| b.peer_address.clone())
}

struct Fetcher {
    hub: Arc<Hub>,
    leader: BrokerId,
    shard: usize,
    inbox: Arc<FetcherInbox>,
    session: Session,
    pace: Pace,
    /// Grows with every new session.
    number: u64,
    fresh: bool,
    pause: Duration,
}

pub(super) async fn run(hub: Arc<Hub>, leader: BrokerId, shard: usize, inbox: Arc<FetcherInbox>) {
    let mut stopping = hub.stopping.subscribe();
    // Sessions of an earlier process under the same broker epoch have lower numbers.
    let number = u64::try_from(super::super::clock::unix_now().0).unwrap_or(0) << 16;
    let fetcher = Fetcher {
        pace: Pace::new(Arc::clone(&hub), leader),
        hub,
        leader,
        shard,
        inbox,
        session: Session::default(),
        number,
        fresh: true,
        pause: PAUSE_FIRST,
    };
    tokio::select! {
        () = fetcher.follow() => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
}

impl Fetcher {
    async fn follow(mut self) {
        loop {
            for (id, to) in self.inbox.take() {
                self.session.set(id, to);
            }
            if self.session.is_empty() {
                self.fresh = true;
                self.inbox.ready.notified().await;
                continue;
            }
            match self.fetch().await {
                Ok(body) => {
                    self.pause = PAUSE_FIRST;
                    self.take_answer(&body).await;
                }
                Err(why) => {
                    debug!(leader = %self.leader, shard = self.shard, %why, "fetch failed");
                    self.fresh = true;
                    tokio::time::sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn fetch(&mut self) -> Result<Bytes, String> {
        let hub = Arc::clone(&self.hub);
        let epoch = hub
            .metadata
            .broker_epoch()
            .ok_or("this broker is not registered")?;
        let address = address_of(&hub, self.leader).ok_or("the leader is not registered")?;
        if self.fresh {
            self.number += 1;
            self.session.restart();
        }
        let session = SessionKey {
            follower: hub.config.broker,
            epoch,
            shard: u16::try_from(self.shard).unwrap_or(u16::MAX),
            number: self.number,
        };
        self.hold_on();
        let (changes, removed) = self.session.take_changes(Instant::now());
        let wait = hub.config.fetch_wait;
        let body = wire::encode(&FetchRequest {
            session,
            fresh: std::mem::take(&mut self.fresh),
            changes,
            removed,
            wait_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
            bytes_max: u32::try_from(hub.config.fetch_bytes_max).unwrap_or(u32::MAX),
            partition_bytes_max: u32::try_from(hub.config.fetch_partition_bytes_max)
                .unwrap_or(u32::MAX),
        });
        let timeout = wait + ANSWER_TIMEOUT;
        let call = hub
            .net
            .call(&address, Class::Data, KIND_FETCH, body, timeout);
        self.await_answer(call, &address, session)
            .await
            .map_err(|e| e.to_string())
    }

    /// While the leader holds the fetch, it is asked to let go as soon as there is something new
    /// to say.
    async fn await_answer(
        &self,
        call: impl Future<Output = Result<Bytes, PeerError>>,
        address: &str,
        session: SessionKey,
    ) -> Result<Bytes, PeerError> {
        tokio::pin!(call);
        let due = self.session.next_due();
        let pause_over = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            answer = &mut call => return answer,
            () = self.inbox.ready.notified() => {}
            () = pause_over => {}
        }
        let body = wire::encode(&session);
        let poke = self
            .hub
            .net
            .call(address, Class::Control, KIND_POKE, body, POKE_TIMEOUT);
        let (_, answer) = tokio::join!(poke, call);
        answer
    }

    async fn take_answer(&mut self, body: &Bytes) {
        let Some((answer, records)) = wire::split_answer(body) else {
            warn!(leader = %self.leader, "malformed answer to a fetch");
            self.fresh = true;
            return tokio::time::sleep(self.pause).await;
        };
        if answer.unknown_session {
            self.fresh = true;
            return;
        }
        let items = self.sort_out(answer, records);
        if items.is_empty() {
            return;
        }
        let epochs: HashMap<_, _> = items.iter().map(|i| (i.partition, i.epoch)).collect();
        let mut throttled = self.pace.charge(&items);
        let (reply, applied) = oneshot::channel();
        let fetched = Fetched {
            leader: self.leader,
            items,
            reply,
        };
        self.hub.inboxes[self.shard].push(ShardCommand::Fetched(Box::new(fetched)));
        // The shard ended: so will this.
        let Ok(applied) = applied.await else {
            return std::future::pending().await;
        };
        let now = Instant::now();
        for (id, after) in applied {
            // Who has all that is committed is about to be in sync: writes wait for it from then
            // on, so it is not made to wait itself (as Kafka's replicas without a lag are not).
            if let AfterFetch::From(position) = &after {
                let behind = |mark: Offset| position.offset < mark;
                throttled.retain(|one, mark| *one != id || behind(*mark));
            }
            if let Some(epoch) = epochs.get(&id) {
                self.session.applied(id, *epoch, after, now);
            }
        }
        if let Some(pause) = self.pace.pause().filter(|_| !throttled.is_empty()) {
            for id in throttled.into_keys() {
                self.session.hold(id, now + pause);
            }
        }
    }

    /// Those whose pause is over pause again if others have used up the time meanwhile.
    fn hold_on(&mut self) {
        let now = Instant::now();
        if self.session.is_release_due(now)
            && let Some(pause) = self.pace.pause()
        {
            self.session.hold_on(now + pause, self.pace.counts());
        }
    }

    fn sort_out(&mut self, answer: FetchAnswer, records: Vec<Bytes>) -> Vec<FetchedItem> {
        let now = Instant::now();
        let mut items = Vec::with_capacity(answer.partitions.len());
        for (answered, bytes) in answer.partitions.into_iter().zip(records) {
            let (partition, epoch) = (answered.partition, answered.leader_epoch);
            let outcome = match answered.outcome {
                wire::Outcome::Records {
                    high_watermark,
                    log_start,
                    ..
                } => FetchOutcome::Records {
                    bytes,
                    high_watermark,
                    log_start,
                },
                wire::Outcome::Diverging { epoch, end } => FetchOutcome::Diverging { epoch, end },
                wire::Outcome::OutOfRange { log_start } => FetchOutcome::OutOfRange { log_start },
                wire::Outcome::Refused => {
                    self.session.refused(partition, epoch, now);
                    continue;
                }
            };
            items.push(FetchedItem {
                partition,
                epoch,
                outcome,
            });
        }
        items
    }
}
