//! `weir-tidy` checks the tree of the folder that it is started in; `weir-tidy --shrink` lowers what
//! the ratchet allows to what is needed, and never raises it; `weir-tidy --accept` writes the ratchet
//! anew.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use weir_tidy::{Ratchet, findings, needed_ratchet};

fn main() -> Result<ExitCode> {
    let root = Path::new(".");
    match std::env::args().nth(1).as_deref() {
        None => Ok(report(&findings(root)?)),
        Some("--shrink") => {
            Ratchet::read(root)?
                .lowered_to(&needed_ratchet(root)?)
                .write(root)?;
            Ok(report(&findings(root)?))
        }
        Some("--accept") => {
            needed_ratchet(root)?.write(root)?;
            Ok(report(&findings(root)?))
        }
        Some(other) => bail!("unknown argument {other}: --shrink, --accept or nothing"),
    }
}

fn report(found: &[String]) -> ExitCode {
    for line in found {
        println!("{line}");
    }
    if found.is_empty() {
        println!("the tree is tidy");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
