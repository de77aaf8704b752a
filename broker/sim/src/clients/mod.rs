//! Producers and consumers, as careful as real client libraries and no more.

mod consumer;
mod producer;

pub use consumer::Consumer;
pub use producer::{Next, Producer, Verdict};
