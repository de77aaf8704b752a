//! Tells one leader what is durable here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use weir_types::{BrokerId, PartitionId};

use super::super::hub::Hub;
use super::super::serving::Serving;
use super::super::wire::{self, KIND_REPORT, Report, ReportRequest};
use super::fetcher::address_of;
use crate::peer::Class;

const TIMEOUT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(50);
/// Reports of one request.
const REPORTS_MAX: usize = 50_000;

/// The newest report of each partition: at most one each, however slow the leader is.
#[derive(Default)]
pub(super) struct ReporterInbox {
    pending: Mutex<HashMap<PartitionId, Report>>,
    ready: Notify,
}

impl ReporterInbox {
    pub(super) fn put(&self, report: Report) {
        self.lock().insert(report.partition, report);
        self.ready.notify_one();
    }

    fn take(&self) -> Vec<Report> {
        let mut pending = self.lock();
        if pending.len() <= REPORTS_MAX {
            return std::mem::take(&mut *pending).into_values().collect();
        }
        let some: Vec<_> = pending.keys().take(REPORTS_MAX).copied().collect();
        self.ready.notify_one();
        some.iter().filter_map(|id| pending.remove(id)).collect()
    }

    /// After a failure; newer reports stay.
    fn put_back(&self, reports: Vec<Report>) {
        let mut pending = self.lock();
        for report in reports {
            pending.entry(report.partition).or_insert(report);
        }
        self.ready.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PartitionId, Report>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn run(hub: Arc<Hub>, leader: BrokerId, inbox: Arc<ReporterInbox>) {
    let mut stopping = hub.stopping.subscribe();
    let work = async {
        loop {
            inbox.ready.notified().await;
            let mut reports = inbox.take();
            reports.retain(|report| is_current(&hub, leader, report));
            if reports.is_empty() {
                continue;
            }
            if !send(&hub, leader, &reports).await {
                inbox.put_back(reports);
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    tokio::select! {
        () = work => {}
        // Reports of the last sync are not worth a wait: the leaders are elsewhere already.
        _ = stopping.wait_for(|stop| *stop) => {}
    }
}

/// Nobody needs the reports of a leader that is none any more.
fn is_current(hub: &Hub, leader: BrokerId, report: &Report) -> bool {
    let now = hub
        .table
        .get(report.partition)
        .map(|shared| shared.serving());
    now == Some(Serving::Follower(leader, report.leader_epoch))
}

async fn send(hub: &Hub, leader: BrokerId, reports: &[Report]) -> bool {
    let (Some(epoch), Some(address)) = (hub.metadata.broker_epoch(), address_of(hub, leader))
    else {
        return false;
    };
    let follower = hub.config.broker;
    let body = wire::encode(&ReportRequest {
        follower,
        epoch,
        reports: reports.to_vec(),
    });
    hub.net
        .call(&address, Class::Control, KIND_REPORT, body, TIMEOUT)
        .await
        .is_ok()
}
