//! The custom resources of Weir, group `weir.dev`, version `v1alpha1`.
//!
//! One file a resource. The served version only ever grows: fields are added, never changed or
//! taken away. The manifests beside this crate are generated from these types by `crdgen`.

mod cluster;
mod condition;
mod generate;
mod scaler;
mod topic;
mod units;

pub use cluster::{
    AntiAffinity, Balance, BalanceState, BalanceStatus, BalanceTask, BrokerConfig, BrokerState,
    BrokerStatus, EnvVar, ExternalTrafficPolicy, Flush, ImagePullPolicy, LabelSelector,
    LeadersAway, Listener, ListenerStatus, ListenerType, LostBroker, Moves, NamespacesFrom, Nodes,
    PartitionTotals, PodTemplate, Progress, Protocol, QueueCluster, QueueClusterSpec,
    QueueClusterStatus, Racks, ReadFrom, Resources, Roll, RollAtOnce, RollMember, RollStatus,
    ScalingPhase, ScalingStatus, Spread, Storage, TimestampType, Toleration, TopicNamespaces,
    WhenDeleted, WhenScaled,
};
pub use condition::{Condition, ConditionStatus};
pub use generate::{CRD_BYTES_MAX, Manifest, manifests};
pub use scaler::{
    ConsumerScaler, ConsumerScalerSpec, ConsumerScalerStatus, KafkaSource, NoCommit,
    ScalerDecision, ScalerInputs, ScalerSource, TargetRef,
};
pub use topic::{
    Adopt, Cleanup, ClusterRef, DeletionPolicy, Difference, Drift, Topic, TopicConfig, TopicSpec,
    TopicStatus,
};
pub use units::{UnitError, format_bytes, format_millis, parse_bytes, parse_millis};

/// API group of every resource.
pub const GROUP: &str = "weir.dev";
/// `weir.dev/pause: "true"` on a resource stops every change the operator would make for it.
pub const PAUSE_ANNOTATION: &str = "weir.dev/pause";
/// Held by a Topic that is to be deleted from its cluster together with the resource.
pub const TOPIC_FINALIZER: &str = "weir.dev/topic";
/// Brokers that get a row of their own in a status.
pub const BROKER_ROWS_MAX: usize = 50;
