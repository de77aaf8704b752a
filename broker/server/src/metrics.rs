//! What the broker counts, in the text format of OpenMetrics.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use weir_engine::partition::PartitionMetrics;

/// Every metric of this process. Names stand here and nowhere else.
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    pub fn new(partitions: Arc<PartitionMetrics>) -> Self {
        let mut registry = Registry::with_prefix("weir");
        registry.register_collector(Box::new(Partitions(partitions)));
        Self { registry }
    }

    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

#[derive(Debug)]
struct Partitions(Arc<PartitionMetrics>);

type Counter<'a> = (&'static str, &'static str, Option<Unit>, &'a AtomicU64);
type Gauge<'a> = (&'static str, &'static str, Option<Unit>, &'a AtomicI64);

impl Partitions {
    fn counters(&self) -> [Counter<'_>; 10] {
        let m = &*self.0;
        let bytes = || Some(Unit::Bytes);
        [
            (
                "appended",
                "Record bytes written as leader",
                bytes(),
                &m.appended_bytes,
            ),
            (
                "appended_records",
                "Records written as leader",
                None,
                &m.appended_records,
            ),
            (
                "appended_requests",
                "Partition writes taken as leader",
                None,
                &m.appended_requests,
            ),
            (
                "duplicate_requests",
                "Writes seen before",
                None,
                &m.duplicate_requests,
            ),
            (
                "replicated",
                "Record bytes written as follower",
                bytes(),
                &m.replicated_bytes,
            ),
            (
                "fdatasyncs",
                "Calls of fdatasync on logs",
                None,
                &m.fdatasyncs,
            ),
            (
                "fetched",
                "Record bytes given to clients",
                bytes(),
                &m.fetched_bytes,
            ),
            (
                "follower_fetched",
                "Record bytes given to followers",
                bytes(),
                &m.follower_fetched_bytes,
            ),
            (
                "isr_shrinks",
                "Replicas taken out of an ISR",
                None,
                &m.isr_shrinks,
            ),
            (
                "isr_expands",
                "Replicas taken into an ISR",
                None,
                &m.isr_expands,
            ),
        ]
    }

    fn gauges(&self) -> [Gauge<'_>; 6] {
        let m = &*self.0;
        [
            ("leaders", "Partitions led here", None, &m.leaders),
            ("replicas", "Replicas held here", None, &m.partitions),
            (
                "under_replicated",
                "Partitions led here whose ISR lacks a replica",
                None,
                &m.under_replicated,
            ),
            (
                "under_min_isr",
                "Partitions led here whose ISR is under its minimum",
                None,
                &m.under_min_isr,
            ),
            (
                "broken_replicas",
                "Replicas here that cannot be served",
                None,
                &m.broken,
            ),
            (
                "queued",
                "Record bytes that wait to be written",
                Some(Unit::Bytes),
                &m.queued_bytes,
            ),
        ]
    }
}

impl Collector for Partitions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, help, unit, value) in self.counters() {
            let metric = ConstCounter::new(value.load(Ordering::Relaxed));
            let described =
                encoder.encode_descriptor(name, help, unit.as_ref(), metric.metric_type())?;
            metric.encode(described)?;
        }
        for (name, help, unit, value) in self.gauges() {
            let metric = ConstGauge::new(value.load(Ordering::Relaxed));
            let described =
                encoder.encode_descriptor(name, help, unit.as_ref(), metric.metric_type())?;
            metric.encode(described)?;
        }
        Ok(())
    }
}
