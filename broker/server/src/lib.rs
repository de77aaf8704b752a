//! The broker's process: configuration, wiring, health, drain.

mod args;
mod config;
mod dev;
mod drain;
mod ends;
mod group_backlog;
mod health;
mod logging;
mod metrics;
mod node;
mod prepare;
mod rack;
mod sockets;
mod tls;

pub use args::Args;
pub use config::{Address, Config, ListenerConfig};
pub use logging::start_logging;
pub use node::run;
