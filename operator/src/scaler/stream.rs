//! One stream of reports a cluster, whatever the number of scalers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use kube::Api;
use kube::runtime::reflector::ObjectRef;
use tokio::task::JoinHandle;
use weir_crds::{ConsumerScaler, QueueCluster};
use weir_proto::admin as pb;

use super::backlogs::ClusterKey;
use crate::admin::Admin;
use crate::backoff::Backoff;
use crate::context::Context;
use crate::topic::observe::{Access, connect};

/// Sets of groups on their way to a broker.
const WATCHES: usize = 4;
/// Silence after which another broker is asked.
const SILENCE: Duration = Duration::from_secs(10);

type Wake = mpsc::Sender<ObjectRef<ConsumerScaler>>;

/// Follows every cluster that a scaler names, until nobody does. Never returns.
pub async fn run(ctx: Arc<Context>, wake: Wake) {
    let mut tasks: HashMap<ClusterKey, JoinHandle<()>> = HashMap::new();
    let mut changes = ctx.scalers.backlogs.changes();
    loop {
        changes.borrow_and_update();
        tasks.retain(|_, task| !task.is_finished());
        for key in ctx.scalers.backlogs.clusters() {
            tasks.entry(key.clone()).or_insert_with(|| {
                let follow = follow(ctx.clone(), key, wake.clone());
                tokio::spawn(follow)
            });
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Listens to one broker after another, with growing pauses while none answers.
async fn follow(ctx: Arc<Context>, key: ClusterKey, mut wake: Wake) {
    let backoff = Backoff::default();
    while !ctx.scalers.backlogs.wanted(&key).is_empty() {
        let why = match broker(&ctx, &key).await {
            Ok(broker) => listen(&ctx, &key, &*broker, &backoff, &mut wake).await,
            Err(why) => why,
        };
        tracing::debug!(cluster = %key.1, %why, "no backlog reports");
        ctx.scalers.backlogs.failed(&key, why);
        tokio::time::sleep(backoff.failed("stream").min(PAUSE_MAX)).await;
    }
}

const PAUSE_MAX: Duration = Duration::from_secs(15);

async fn broker(ctx: &Context, (namespace, name): &ClusterKey) -> Result<Arc<dyn Admin>, String> {
    let api: Api<QueueCluster> = Api::namespaced(ctx.client.clone(), namespace);
    let cluster = api.get_opt(name).await.map_err(|e| e.to_string())?;
    let cluster = cluster.ok_or_else(|| format!("there is no QueueCluster {namespace}/{name}"))?;
    match connect(ctx, &cluster).await.map_err(|e| e.to_string())? {
        Access::Broker(broker) => Ok(broker),
        Access::NotReady(why) => Err(why),
        Access::NotFormed => Err("the cluster is not formed yet".to_owned()),
        _ => Err("the cluster cannot be reached".to_owned()),
    }
}

/// Until the stream breaks; why it did.
async fn listen(
    ctx: &Context,
    key: &ClusterKey,
    broker: &dyn Admin,
    backoff: &Backoff,
    wake: &mut Wake,
) -> String {
    let backlogs = &ctx.scalers.backlogs;
    let mut changes = backlogs.changes();
    let (mut say, said) = mpsc::channel(WATCHES);
    let mut asked = Vec::new();
    let mut reports = match broker.watch_backlog(said).await {
        Ok(reports) => reports,
        Err(error) => return error.to_string(),
    };
    loop {
        changes.borrow_and_update();
        let wanted = backlogs.wanted(key);
        if wanted.is_empty() {
            return "nobody asks any more".to_owned();
        }
        let interval_ms = interval_ms(wanted.len());
        if wanted != asked {
            asked.clone_from(&wanted);
            let groups = wanted;
            let watch = pb::BacklogWatch {
                groups,
                interval_ms,
            };
            // Full: the broker has not read the last sets yet, and is not worth waiting for.
            if say.try_send(watch).is_err() {
                return "the broker does not read".to_owned();
            }
        }
        let silence = SILENCE + 2 * Duration::from_millis(interval_ms.into());
        let report = tokio::select! {
            changed = changes.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return "stopping".to_owned(),
            },
            report = tokio::time::timeout(silence, reports.next()) => report,
        };
        match report {
            Ok(Some(Ok(report))) => {
                backoff.succeeded("stream");
                for scaler in backlogs.learn(key, report) {
                    // A full queue means that it comes up soon anyway.
                    let _ = wake.try_send(scaler);
                }
            }
            Ok(Some(Err(error))) => return error.to_string(),
            Ok(None) => return "the broker ended the reports".to_owned(),
            Err(_) => return format!("no report for {} s", silence.as_secs()),
        }
    }
}

/// Many groups are reported less often, so that reports stay a small part of the traffic.
fn interval_ms(groups: usize) -> u32 {
    match groups {
        0..=100 => 1_000,
        101..=500 => 2_000,
        _ => 5_000,
    }
}
