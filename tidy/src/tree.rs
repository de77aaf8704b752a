//! The files of the tree that people write.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Files that tools write; nobody reads them for their length.
const GENERATED: [&str; 4] = ["Cargo.lock", "go.sum", "go.mod", "package-lock.json"];

pub struct TextFile {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

impl TextFile {
    /// Rust, Go, Java, Python, protobuf, and scripts with a first line that names their interpreter.
    pub fn is_code(&self) -> bool {
        let known = ["rs", "go", "java", "py", "proto", "sh", "c"];
        let extension = self.path.rsplit_once('.').map(|(_, extension)| extension);
        extension.is_some_and(|extension| known.contains(&extension)) || self.text.starts_with("#!")
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub fn line_count(&self) -> usize {
        self.text.lines().count()
    }
}

/// Every text file that git knows or would take, without the generated ones.
pub fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "-co", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git lists the files of the tree")?;
    ensure!(
        output.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout).context("file names are UTF-8")?;
    let mut files = Vec::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let base = name.rsplit('/').next().unwrap_or(name);
        if GENERATED.contains(&base) {
            continue;
        }
        // Deleted but not yet staged, or not text: neither has a length.
        if let Ok(text) = std::fs::read_to_string(root.join(name)) {
            files.push(TextFile {
                path: name.to_owned(),
                text,
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}
