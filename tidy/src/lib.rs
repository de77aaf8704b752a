//! Style as a test: who may depend on whom, how long files and functions may be, and what has no
//! place in the tree. Limits that today's tree passes only with exceptions are listed in
//! `ratchet.txt`, and that list may only shrink.

mod functions;
mod layers;
mod machine_paths;
mod ratchet;
mod sizes;
mod tree;

use std::path::Path;

use anyhow::Result;

pub use ratchet::Ratchet;

/// Everything that is wrong with the tree at `root`, one line a finding; empty when it is tidy.
pub fn findings(root: &Path) -> Result<Vec<String>> {
    let files = tree::text_files(root)?;
    let ratchet = Ratchet::read(root)?;
    let mut found = layers::check(&layers::manifests(root)?);
    found.extend(layers::check_core_sources(&files));
    found.extend(machine_paths::check(&files));
    let measured = measure(&files);
    found.extend(sizes::check_limit(&measured));
    found.extend(ratchet.check(&measured));
    Ok(found)
}

/// What the ratchet would have to list for the tree at `root` to pass as it is.
pub fn needed_ratchet(root: &Path) -> Result<Ratchet> {
    Ok(Ratchet::needed(&measure(&tree::text_files(root)?)))
}

fn measure(files: &[tree::TextFile]) -> Vec<sizes::Measured> {
    let mut measured = sizes::files(files);
    measured.extend(functions::measure(files));
    measured
}
