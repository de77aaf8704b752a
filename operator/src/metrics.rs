//! The operator's metrics, all of them, for Prometheus.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::census::Census;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ControllerLabels {
    pub controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabels {
    pub controller: &'static str,
    pub result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabels {
    pub kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    pub reason: &'static str,
}

/// One ConsumerScaler.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ScalerLabels {
    pub namespace: String,
    pub name: String,
}

impl ScalerLabels {
    pub fn of((namespace, name): &(String, String)) -> Self {
        Self {
            namespace: namespace.clone(),
            name: name.clone(),
        }
    }
}

type Histograms = Family<ControllerLabels, Histogram, fn() -> Histogram>;

#[derive(Clone)]
pub struct Metrics {
    pub reconciles: Family<ResultLabels, Counter>,
    pub reconcile_seconds: Histograms,
    pub writes: Family<WriteLabels, Counter>,
    pub restarts: Counter,
    pub scaler_decisions: Family<ReasonLabels, Counter>,
    pub scaler_wanted: Family<ScalerLabels, Gauge>,
    pub scaler_backlog: Family<ScalerLabels, Gauge>,
    pub leader: Gauge,
    pub lease_renewed_seconds: Gauge<f64, AtomicU64>,
    /// Counts the resources that the controllers watch.
    pub census: Census,
}

impl Metrics {
    /// The metrics, and the registry that prints them.
    pub fn new() -> (Self, Registry) {
        let buckets = || Histogram::new([0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0]);
        let metrics = Self {
            reconciles: Family::default(),
            reconcile_seconds: Family::new_with_constructor(buckets as fn() -> Histogram),
            writes: Family::default(),
            restarts: Counter::default(),
            scaler_decisions: Family::default(),
            scaler_wanted: Family::default(),
            scaler_backlog: Family::default(),
            leader: Gauge::default(),
            lease_renewed_seconds: Gauge::default(),
            census: Census::default(),
        };
        let mut registry = Registry::with_prefix("weir_operator");
        let m = &metrics;
        registry.register("reconciles", "Reconciles by result", m.reconciles.clone());
        registry.register(
            "reconcile_seconds",
            "Duration of a reconcile",
            m.reconcile_seconds.clone(),
        );
        registry.register(
            "writes",
            "Writes to the API server by kind",
            m.writes.clone(),
        );
        registry.register("broker_restarts", "Brokers restarted", m.restarts.clone());
        register_scalers(m, &mut registry);
        registry.register("leader", "1 if this replica leads", m.leader.clone());
        registry.register(
            "lease_renewed_seconds",
            "Unix time of the last renewal of the lease",
            m.lease_renewed_seconds.clone(),
        );
        registry.register_collector(Box::new(m.census.clone()));
        (metrics, registry)
    }
}

fn register_scalers(m: &Metrics, registry: &mut Registry) {
    registry.register(
        "scaler_decisions",
        "Decisions of ConsumerScalers by reason",
        m.scaler_decisions.clone(),
    );
    registry.register(
        "scaler_wanted_replicas",
        "Replicas that a ConsumerScaler decided on",
        m.scaler_wanted.clone(),
    );
    registry.register(
        "scaler_backlog",
        "Records that the group of a ConsumerScaler has still to consume",
        m.scaler_backlog.clone(),
    );
}
