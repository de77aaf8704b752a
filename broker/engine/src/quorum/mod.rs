//! The metadata quorum.

mod config;
mod error;
mod handle;

pub use config::{QuorumConfig, QuorumTiming};
pub use error::{ProposeError, QuorumError};
pub use handle::{Member, Quorum};
