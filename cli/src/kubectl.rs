//! `kubectl weir`: the same program as a plugin.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir_cli::main()
}
