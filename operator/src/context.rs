//! What every reconcile is given.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::reflector::Store;
use weir_crds::{QueueCluster, Topic};

use crate::admin::Connector;
use crate::backoff::Backoff;
use crate::claims::Claims;
use crate::metrics::Metrics;
use crate::scaler::Scalers;
use crate::term::Term;
use crate::turns::Turns;

/// Settings of the operator itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Image of brokers whose resource names none; `{version}` stands for their version.
    pub broker_image: String,
    /// Version of this operator.
    pub version: String,
    /// How often a resource is looked at though nothing moved.
    pub resync: Duration,
    /// The same while something is under way.
    pub poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            broker_image: "weir-broker:{version}".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            resync: Duration::from_secs(300),
            poll: Duration::from_secs(3),
        }
    }
}

pub struct Context {
    pub client: Client,
    pub brokers: Arc<dyn Connector>,
    pub metrics: Metrics,
    pub settings: Settings,
    pub backoff: Backoff,
    /// Which Topics want the same.
    pub claims: Arc<Claims<Topic>>,
    /// The clusters as the operator's watch has them, once there is one.
    pub clusters: OnceLock<Store<QueueCluster>>,
    /// When a resource may call its cluster's brokers.
    pub turns: Turns,
    /// Since when this operator leads, for brokers to tell it from a former one.
    pub term: Term,
    /// What is known of backlogs and of those who work on them.
    pub scalers: Scalers,
    recorder: Recorder,
}

impl Context {
    pub fn new(
        client: Client,
        brokers: Arc<dyn Connector>,
        metrics: Metrics,
        settings: Settings,
    ) -> Self {
        let reporter = Reporter {
            controller: "weir-operator".to_owned(),
            instance: std::env::var("POD_NAME").ok(),
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            brokers,
            metrics,
            settings,
            backoff: Backoff::default(),
            claims: Arc::default(),
            clusters: OnceLock::new(),
            turns: Turns::default(),
            term: Term::default(),
            scalers: Scalers::default(),
        }
    }

    /// Tells what happened to a resource. Events are for people: failing to write one fails
    /// nothing else.
    pub async fn event(&self, of: &ObjectReference, type_: EventType, reason: &str, note: String) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note.chars().take(1000).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, of).await {
            tracing::warn!(%error, reason, "event not written");
        }
    }
}
