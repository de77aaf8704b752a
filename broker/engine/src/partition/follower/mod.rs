//! The following side: fetchers that pull records, reporters that tell what is durable.
//!
//! A shard has one fetcher for each leader that it follows, and the broker one reporter for each
//! leader: reports of all shards leave together, and never behind a fetch that is held.

mod apply;
mod fetcher;
mod pace;
mod reporter;
mod session;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use weir_types::{BrokerId, PartitionId};

use super::commands::FetchPosition;
use super::hub::Hub;
use super::wire::Report;
use fetcher::FetcherInbox;
use reporter::ReporterInbox;

/// All fetchers and reporters; they are started on first use and end with the broker.
#[derive(Default)]
pub(super) struct Followers {
    fetchers: Mutex<HashMap<(BrokerId, usize), Arc<FetcherInbox>>>,
    reporters: Mutex<HashMap<BrokerId, Arc<ReporterInbox>>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Followers {
    /// Fetches the partition from `leader`, from this position on.
    pub(super) fn follow(
        &self,
        hub: &Arc<Hub>,
        leader: BrokerId,
        shard: usize,
        id: PartitionId,
        from: FetchPosition,
    ) {
        let (inbox, fresh) = get_or_make(&self.fetchers, (leader, shard));
        inbox.set(id, Some(from));
        if fresh {
            self.spawn(hub, fetcher::run(Arc::clone(hub), leader, shard, inbox));
        }
    }

    pub(super) fn unfollow(&self, leader: BrokerId, shard: usize, id: PartitionId) {
        let inbox = lock(&self.fetchers).get(&(leader, shard)).map(Arc::clone);
        if let Some(inbox) = inbox {
            inbox.set(id, None);
        }
    }

    pub(super) fn report(&self, hub: &Arc<Hub>, leader: BrokerId, report: Report) {
        let (inbox, fresh) = get_or_make(&self.reporters, leader);
        inbox.put(report);
        if fresh {
            self.spawn(hub, reporter::run(Arc::clone(hub), leader, inbox));
        }
    }

    /// They end by themselves when the broker stops; this waits for it.
    pub(super) async fn join(&self) {
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        while tasks.join_next().await.is_some() {}
    }

    fn spawn(&self, hub: &Hub, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.tasks).spawn_on(task, &hub.runtime);
    }
}

fn get_or_make<K: Eq + Hash, V: Default>(
    map: &Mutex<HashMap<K, Arc<V>>>,
    key: K,
) -> (Arc<V>, bool) {
    let mut map = lock(map);
    let mut fresh = false;
    let value = map.entry(key).or_insert_with(|| {
        fresh = true;
        Arc::default()
    });
    (Arc::clone(value), fresh)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
