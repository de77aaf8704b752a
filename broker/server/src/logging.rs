//! Log lines on standard error; `RUST_LOG` decides which.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging for the whole process; call once.
pub fn start_logging(json: bool) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,openraft=error"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        lines.json().init();
    } else {
        lines.init();
    }
}
