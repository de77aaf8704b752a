//! `weir`: what goes on in a cluster, and a way to put records in and get them out.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir_cli::main()
}
