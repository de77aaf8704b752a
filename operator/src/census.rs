//! How many resources there are in which state: counted when somebody asks, from what the
//! watches hold in memory anyway.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use weir_crds::{Condition, ConditionStatus, QueueCluster};

/// `ready` is the status of the condition Ready, `reason` its reason; of a resource that is ready
/// while something about it waits, the reason is that of Reconciling. Before the operator has seen
/// a resource they are Unknown and Pending.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub struct ResourceLabels {
    pub kind: String,
    pub ready: &'static str,
    pub reason: String,
}

/// One QueueCluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub struct ClusterLabels {
    pub namespace: String,
    pub name: String,
}

/// Brokers that a QueueCluster asks for, and that serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brokers {
    pub wanted: i64,
    pub ready: i64,
}

type Count = Box<dyn Fn(&mut BTreeMap<ResourceLabels, i64>) + Send + Sync>;
type Roster = Store<QueueCluster>;

/// The kinds that are counted. Cheap to share.
#[derive(Clone, Default)]
pub struct Census {
    kinds: Arc<Mutex<Vec<Count>>>,
    clusters: Arc<OnceLock<Roster>>,
}

impl fmt::Debug for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Census(..)")
    }
}

impl Census {
    /// Counts the resources of a store too.
    pub fn add<K>(&self, store: Store<K>, conditions: fn(&K) -> &[Condition])
    where
        K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    {
        let count: Count = Box::new(move |counts| {
            for object in store.state() {
                let labels = labels(&K::kind(&()), conditions(&object));
                *counts.entry(labels).or_default() += 1;
            }
        });
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.push(count);
    }

    /// Counts the brokers of a store's clusters too. Only the first store counts.
    pub fn add_clusters(&self, clusters: Roster) {
        let _ = self.clusters.set(clusters.clone());
        self.add(clusters, |c| {
            c.status.as_ref().map_or(&[], |s| &s.conditions)
        });
    }

    fn brokers(&self) -> Vec<(ClusterLabels, Brokers)> {
        let clusters = self.clusters.get().map(Store::state).unwrap_or_default();
        clusters
            .iter()
            .map(|cluster| {
                let ready = cluster.status.as_ref().map_or(0, |s| s.ready_replicas);
                let labels = ClusterLabels {
                    namespace: cluster.namespace().unwrap_or_default(),
                    name: cluster.name_any(),
                };
                let brokers = Brokers {
                    wanted: i64::from(cluster.spec.replicas),
                    ready: i64::from(ready),
                };
                (labels, brokers)
            })
            .collect()
    }

    fn counts(&self) -> BTreeMap<ResourceLabels, i64> {
        let mut counts = BTreeMap::new();
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        for count in kinds.iter() {
            count(&mut counts);
        }
        counts
    }
}

fn labels(kind: &str, conditions: &[Condition]) -> ResourceLabels {
    let of = |type_: &str| conditions.iter().find(|c| c.type_ == type_);
    let ready = of("Ready");
    let status = match ready.map(|c| c.status) {
        Some(ConditionStatus::True) => "True",
        Some(ConditionStatus::False) => "False",
        Some(ConditionStatus::Unknown) | None => "Unknown",
    };
    let waits = of("Reconciling").filter(|c| c.status == ConditionStatus::True);
    let reason = match (status, waits) {
        ("True", Some(waits)) => waits.reason.clone(),
        _ => ready.map_or_else(|| "Pending".to_owned(), |c| c.reason.clone()),
    };
    ResourceLabels {
        kind: kind.to_owned(),
        ready: status,
        reason,
    }
}

impl Collector for Census {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = self.counts();
        let help = "Resources by the condition Ready";
        let mut metric = encoder.encode_descriptor("resources", help, None, MetricType::Gauge)?;
        for (labels, count) in counts {
            let gauge = ConstGauge::new(count);
            gauge.encode(metric.encode_family(&labels)?)?;
        }
        let brokers = self.brokers();
        let wanted: fn(&Brokers) -> i64 = |b| b.wanted;
        for (name, help, count) in [
            (
                "brokers_wanted",
                "Brokers that a QueueCluster asks for",
                wanted,
            ),
            (
                "brokers_ready",
                "Brokers of a QueueCluster that serve",
                |b| b.ready,
            ),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, brokers) in &brokers {
                let gauge = ConstGauge::new(count(brokers));
                gauge.encode(metric.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}
