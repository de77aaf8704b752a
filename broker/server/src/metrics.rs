//! What the broker counts, in the text format of OpenMetrics.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use weir_engine::partition::PartitionMetrics;

use crate::group_backlog::Shown;
use crate::tls::Renewals;

/// Every metric of this process. Names stand here and nowhere else.
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    pub fn new(partitions: Arc<PartitionMetrics>, groups: Shown, admin: Arc<Renewals>) -> Self {
        let mut registry = Registry::with_prefix("weir");
        registry.register_collector(Box::new(Process { partitions, admin }));
        registry.register_collector(Box::new(Groups(groups)));
        Self { registry }
    }

    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

#[derive(Debug)]
struct Process {
    partitions: Arc<PartitionMetrics>,
    admin: Arc<Renewals>,
}

type Counter<'a> = (&'static str, &'static str, Option<Unit>, &'a AtomicU64);
type Gauge<'a> = (&'static str, &'static str, Option<Unit>, &'a AtomicI64);

impl Process {
    fn counters(&self) -> [Counter<'_>; 10] {
        let m = &*self.partitions;
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

    fn scrub_counters(&self) -> [Counter<'_>; 2] {
        let m = &*self.partitions;
        [
            (
                "scrubbed",
                "Record bytes read to verify them again",
                Some(Unit::Bytes),
                &m.scrubbed_bytes,
            ),
            (
                "damaged_replicas",
                "Replicas in which damage was found while they were served",
                None,
                &m.damaged_replicas,
            ),
        ]
    }

    fn follower_counters(&self) -> [Counter<'_>; 2] {
        let m = &*self.partitions;
        [
            (
                "fetched_as_follower",
                "Record bytes given to clients by replicas that do not lead",
                Some(Unit::Bytes),
                &m.fetched_as_follower_bytes,
            ),
            (
                "preferred_replicas",
                "Times that a consumer was sent to a replica in its rack",
                None,
                &m.preferred_replicas,
            ),
        ]
    }

    fn admin_counters(&self) -> [Counter<'_>; 2] {
        [
            (
                "admin_certificate_renewals",
                "Certificates of the admin channel taken while it ran",
                None,
                &self.admin.taken,
            ),
            (
                "admin_certificate_refusals",
                "Changed certificate files that could not be used",
                None,
                &self.admin.refused,
            ),
        ]
    }

    fn gauges(&self) -> [Gauge<'_>; 8] {
        let m = &*self.partitions;
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
            (
                "folder_free",
                "Bytes that the data folder's volume has left",
                Some(Unit::Bytes),
                &m.free_bytes,
            ),
            (
                "folder_full",
                "1 while records are refused for want of room",
                None,
                &m.full,
            ),
        ]
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counters = self.counters().into_iter().chain(self.scrub_counters());
        let counters = counters.chain(self.follower_counters());
        for (name, help, unit, value) in counters.chain(self.admin_counters()) {
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

/// Groups that this broker coordinates.
#[derive(Debug)]
struct Groups(Shown);

impl Collector for Groups {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let help = "Records behind the committed offsets of a group, never below log start";
        let mut family =
            encoder.encode_descriptor("group_backlog", help, None, MetricType::Gauge)?;
        for ((group, topic), backlog) in &shown.series {
            let labels = [("group", group.as_str()), ("topic", topic.as_str())];
            ConstGauge::new(*backlog).encode(family.encode_family(&labels)?)?;
        }
        let omitted = ConstGauge::new(i64::try_from(shown.omitted).unwrap_or(i64::MAX));
        let help = "Groups and series of group_backlog that are not shown";
        let described =
            encoder.encode_descriptor("group_backlog_omitted", help, None, MetricType::Gauge)?;
        omitted.encode(described)
    }
}
