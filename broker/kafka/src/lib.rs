//! The Kafka face: Kafka's protocol over [`weir_api::Engine`].
//!
//! A [`KafkaFace`] serves listeners. Each connection is one task: it reads frames, runs a handler
//! a request, and answers in order. Handlers are extract, engine call, convert.

pub mod codec;
mod config;
mod connection;
mod context;
mod error_map;
mod face;
mod fetch_session;
mod handlers;

pub use config::KafkaConfig;
pub use face::KafkaFace;
