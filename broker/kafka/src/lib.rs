//! The Kafka face: Kafka's protocol over [`weir_api::Engine`].

pub mod codec;
