//! One task for each partition of the offsets topic that this broker leads.
//!
//! It owns the groups of that partition. Requests come in through a bounded queue; what they
//! change is written by [`writer::Writer`] and becomes visible once it is acknowledged.
//!
//! **Invariant:** the state here is what the log says, plus what is being written: nothing else
//! writes to the partition under this leader epoch.

mod admin;
mod command;
mod entry;
mod expiry;
mod figures;
mod load;
mod members;
mod offsets;
mod writer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info};
use weir_api::{JoinedGroup, SyncedGroup};
use weir_core::cluster::Image;
use weir_core::group::{GroupConfig, GroupError, Time, Waiter};
use weir_types::{LeaderEpoch, Millis, PartitionId};

use self::entry::Entry;
use self::writer::Writer;
use super::{GroupsConfig, log::OffsetsLog};
pub(super) use command::{Command, Reply};

/// Requests that may wait for one coordinator.
const QUEUE: usize = 1024;
/// Requests served in a row before timers and writes are looked at again.
const BURST: usize = 64;

/// A running coordinator, as the rest of [`super::Groups`] holds it.
pub(super) struct Handle {
    pub epoch: LeaderEpoch,
    pub commands: mpsc::Sender<Command>,
    pub loaded: Arc<AtomicBool>,
    /// Dropped: it is to stop.
    _stop: oneshot::Sender<()>,
}

struct Coordinator {
    partition: PartitionId,
    log: Arc<dyn OffsetsLog>,
    config: Arc<GroupsConfig>,
    metadata: watch::Receiver<Arc<Image>>,
    writer: Writer,
    groups: BTreeMap<String, Entry>,
    /// Groups by the time at which they want to be woken.
    deadlines: BTreeSet<(Millis, String)>,
    joins: HashMap<Waiter, Reply<JoinedGroup>>,
    syncs: HashMap<Waiter, Reply<SyncedGroup>>,
    next_waiter: u64,
    /// Zero of the steady clock.
    began: Instant,
    next_expiry: Instant,
}

/// Begins to coordinate; the future runs until the handle's `stop` is dropped.
pub(super) fn start(
    partition: PartitionId,
    epoch: LeaderEpoch,
    log: Arc<dyn OffsetsLog>,
    config: Arc<GroupsConfig>,
) -> (Handle, impl Future<Output = ()> + Send + 'static) {
    let (commands, inbox) = mpsc::channel(QUEUE);
    let (stop, stopped) = oneshot::channel();
    let loaded = Arc::new(AtomicBool::new(false));
    let handle = Handle {
        epoch,
        commands,
        loaded: Arc::clone(&loaded),
        _stop: stop,
    };
    let began = Instant::now();
    let coordinator = Coordinator {
        partition,
        metadata: log.metadata(),
        writer: Writer::new(Arc::clone(&log), partition, epoch, config.write_bytes),
        groups: BTreeMap::new(),
        deadlines: BTreeSet::new(),
        joins: HashMap::new(),
        syncs: HashMap::new(),
        next_waiter: 0,
        began,
        next_expiry: began + config.expiry_check,
        log,
        config,
    };
    (handle, run(coordinator, epoch, inbox, loaded, stopped))
}

async fn run(
    mut coordinator: Coordinator,
    epoch: LeaderEpoch,
    inbox: mpsc::Receiver<Command>,
    loaded: Arc<AtomicBool>,
    mut stopped: oneshot::Receiver<()>,
) {
    let partition = coordinator.partition;
    let now = coordinator.now();
    let settings = coordinator.settings();
    let groups = tokio::select! {
        _ = &mut stopped => return,
        groups = load::load(&*coordinator.log, partition, settings, now) => groups,
    };
    if groups.is_empty() {
        debug!(%partition, %epoch, "coordinating, no groups yet");
    } else {
        info!(%partition, %epoch, groups = groups.len(), "coordinating groups");
    }
    coordinator.groups = groups;
    coordinator.resume();
    loaded.store(true, Ordering::Release);
    coordinator.serve(inbox, stopped).await;
    debug!(%partition, %epoch, "no longer coordinating groups");
}

impl Coordinator {
    /// What groups go by as the cluster's configs stand now.
    fn settings(&self) -> GroupConfig {
        let metadata = self.log.metadata();
        let image = metadata.borrow();
        self.config.under(&image).group
    }

    async fn serve(
        &mut self,
        mut inbox: mpsc::Receiver<Command>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let mut batch = Vec::with_capacity(BURST);
        loop {
            self.writer.start();
            let wake = self.next_wake();
            let has_room = self.writer.queued_bytes() < self.config.backlog_bytes_max;
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                (writes, result) = self.writer.finished() => self.written(writes, &result),
                () = sleep_until(wake) => self.tick(),
                count = inbox.recv_many(&mut batch, BURST), if has_room => {
                    if count == 0 {
                        break;
                    }
                    for command in batch.drain(..) {
                        self.serve_one(command);
                    }
                }
            }
        }
        self.abandon();
    }

    fn serve_one(&mut self, command: Command) {
        match command {
            Command::Join { group, join, reply } => self.join(&group, join, reply),
            Command::Sync { group, sync, reply } => self.sync(&group, sync, reply),
            Command::Heartbeat {
                group,
                claim,
                reply,
            } => {
                let _ = reply.send(self.heartbeat(&group, &claim));
            }
            Command::Leave {
                group,
                members,
                reply,
            } => {
                let _ = reply.send(self.leave(&group, &members));
            }
            Command::Commit {
                group,
                claim,
                offsets,
                reply,
            } => {
                self.commit(&group, &claim, offsets, reply);
            }
            Command::Committed {
                group,
                partitions,
                reply,
            } => {
                let _ = reply.send(Ok(self.committed(&group, partitions)));
            }
            Command::List { reply } => {
                let _ = reply.send(Ok(self.list()));
            }
            Command::Describe { group, reply } => {
                let _ = reply.send(self.describe(&group));
            }
            Command::Figures {
                groups,
                keep_offsets,
                reply,
            } => {
                let _ = reply.send(Ok(self.figures(&groups, keep_offsets)));
            }
            Command::DeleteGroup { group, reply } => self.delete_group(&group, reply),
            Command::DeleteOffsets {
                group,
                partitions,
                reply,
            } => {
                self.delete_offsets(&group, &partitions, reply);
            }
            Command::TopicsDeleted { names } => self.topics_deleted(&names),
        }
    }

    fn tick(&mut self) {
        let now = self.now();
        while let Some((at, _)) = self.deadlines.first()
            && *at <= now.steady
        {
            let Some((_, group)) = self.deadlines.pop_first() else {
                break;
            };
            let mut out = Vec::new();
            if let Some(entry) = self.groups.get_mut(&group) {
                entry.deadline = None;
                entry.group.tick(now, &mut out);
            }
            self.carry_out(&group, out);
        }
        if Instant::now() >= self.next_expiry {
            self.next_expiry = Instant::now() + self.config.expiry_check;
            self.expire();
        }
    }

    fn resume(&mut self) {
        let now = self.now();
        let ids: Vec<String> = self.groups.keys().cloned().collect();
        for id in ids {
            let mut out = Vec::new();
            if let Some(entry) = self.groups.get_mut(&id) {
                entry.group.resume(now, &mut out);
            }
            self.carry_out(&id, out);
        }
    }

    /// Whoever waits is told to look elsewhere; what is being written may still be.
    fn abandon(&mut self) {
        let mut out = Vec::new();
        for entry in self.groups.values_mut() {
            entry.group.abandon(&GroupError::NotCoordinator, &mut out);
        }
        for effect in out {
            self.answer(effect);
        }
    }

    fn now(&self) -> Time {
        let steady = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        Time {
            steady: Millis(steady),
            unix: (self.config.clock)(),
        }
    }

    fn next_wake(&self) -> Instant {
        let timer = self.deadlines.first().map(|(at, _)| {
            // A millisecond more: the clock is rounded down.
            let ms = u64::try_from(at.0).unwrap_or(0).saturating_add(1);
            self.began + std::time::Duration::from_millis(ms.min(u64::from(u32::MAX)))
        });
        timer.map_or(self.next_expiry, |at| at.min(self.next_expiry))
    }

    fn waiter(&mut self) -> Waiter {
        self.next_waiter += 1;
        Waiter(self.next_waiter)
    }
}
