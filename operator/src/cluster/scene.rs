//! What every later step of a reconcile looks at.

use kube::Resource;
use kube::runtime::events::EventType;
use weir_crds::QueueCluster;

use super::observe::{Brokers, Observed};
use super::plan::{BrokerFacts, Facts};
use super::validate::Valid;
use crate::apply::Applier;
use crate::context::Context;

/// A cluster as it was observed, and the means to change it.
pub struct Scene<'a> {
    pub ctx: &'a Context,
    pub applier: &'a Applier,
    pub cluster: &'a QueueCluster,
    pub valid: &'a Valid,
    pub observed: &'a Observed,
    pub brokers: &'a Brokers,
    pub facts: &'a Facts,
    /// Brokers that the StatefulSet has.
    pub replicas: i32,
}

impl Scene<'_> {
    /// Tells people what happened.
    pub async fn event(&self, reason: &str, note: String) {
        let reference = self.cluster.object_ref(&());
        self.ctx
            .event(&reference, EventType::Normal, reason, note)
            .await;
    }

    /// Why some broker other than `but` does not serve now; catching up counts as serving.
    pub fn absent(&self, but: Option<i32>) -> Option<String> {
        let silent = |b: &&BrokerFacts| Some(b.id) != but && !b.serves();
        let broker = self.facts.brokers.iter().find(silent)?;
        let why = broker.ailment().unwrap_or_default();
        Some(format!("broker {}: {why}", broker.id))
    }
}
