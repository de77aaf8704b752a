//! weir-operator: turns `QueueCluster` and `Topic` into brokers and topics, and scales consumers.
//!
//! One folder a resource, each with the same rooms: `mod` (reconcile as a table of contents),
//! `observe` (reads only), `validate`, `plan` (pure), `build` (one pure builder a Kubernetes
//! kind), `status`. Beside them `apply`, the only writer to Kubernetes, and `admin`, the brokers
//! behind a trait.

pub mod admin;
pub mod apply;
pub mod backoff;
pub mod census;
pub mod claims;
pub mod cluster;
pub mod conditions;
pub mod context;
pub mod controllers;
pub mod drift;
pub mod error;
pub mod hash;
pub mod kafka_config;
pub mod lease;
mod likeness;
pub mod metrics;
pub mod names;
pub mod quantity;
pub mod scaler;
pub mod serve;
mod stamp;
pub mod term;
pub mod topic;
pub mod turns;
