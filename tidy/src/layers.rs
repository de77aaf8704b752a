//! The dependency law of the layers, read from the manifests:
//! types ← core ← engine ← faces ← server, types ← storage ← engine, and the operator's side apart.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::tree::TextFile;

/// Every crate of the workspace with those of ours that it may name.
const LAW: [(&str, &[&str]); 15] = [
    ("weir-types", &[]),
    ("weir-core", &["weir-types"]),
    ("weir-storage", &["weir-types"]),
    ("weir-api", &["weir-types"]),
    (
        "weir-engine",
        &["weir-types", "weir-core", "weir-storage", "weir-api"],
    ),
    ("weir-proto", &[]),
    ("weir-kafka", &["weir-types", "weir-api"]),
    ("weir-grpc", &["weir-types", "weir-api", "weir-proto"]),
    (
        "weir-server",
        &[
            "weir-types",
            "weir-api",
            "weir-engine",
            "weir-kafka",
            "weir-grpc",
            // Its tests are a client of the admin channel.
            "weir-proto",
        ],
    ),
    ("weir-sim", &["weir-types", "weir-core", "weir-storage"]),
    ("weir-crds", &[]),
    ("weir-scaler", &[]),
    ("weir-operator", &["weir-crds", "weir-proto", "weir-scaler"]),
    ("weir-cli", &["weir-crds", "weir-proto"]),
    ("weir-tidy", &[]),
];

/// What a layer must not name although it is not ours. The core takes events and the time, and
/// returns commands; the storage is synchronous; faces reach nothing but the engine's contract.
const FORBIDDEN: [(&str, &[&str]); 5] = [
    (
        "weir-core",
        &[
            "tokio",
            "rand",
            "futures",
            "rustix",
            "jiff",
            "chrono",
            "openraft",
            "redb",
            "tempfile",
            "mio",
            "getrandom",
            "fastrand",
            "arc-swap",
            "tracing",
            "kube",
        ],
    ),
    (
        "weir-types",
        &["tokio", "rand", "rustix", "openraft", "kube"],
    ),
    ("weir-storage", &["tokio", "rand", "openraft", "redb"]),
    ("weir-kafka", &["openraft", "redb", "tonic", "kube"]),
    ("weir-grpc", &["openraft", "redb", "kube"]),
];

/// What the core must not say: files, sockets, threads, clocks, randomness.
const CORE_WORDS: [&str; 7] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::time::Instant",
    "SystemTime",
    "Instant::now",
    "new_v4",
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Manifest>,
}

#[derive(Deserialize)]
pub struct Manifest {
    pub name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None`: of the crate itself; `dev` and `build` otherwise.
    kind: Option<String>,
}

pub fn manifests(root: &Path) -> Result<Vec<Manifest>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root)
        .output()
        .context("cargo metadata lists the manifests")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cargo metadata writes JSON")?;
    Ok(metadata.packages)
}

pub fn check(manifests: &[Manifest]) -> Vec<String> {
    let law: BTreeMap<&str, &[&str]> = LAW.into_iter().collect();
    let forbidden: BTreeMap<&str, &[&str]> = FORBIDDEN.into_iter().collect();
    let mut found = Vec::new();
    for manifest in manifests {
        let name = manifest.name.as_str();
        let Some(allowed) = law.get(name) else {
            found.push(format!(
                "{name} has no place in the layers: add it to the law"
            ));
            continue;
        };
        for dependency in &manifest.dependencies {
            let other = dependency.name.as_str();
            if other.starts_with("weir-") && !allowed.contains(&other) {
                found.push(format!(
                    "{name} names {other}, which its layer must not see"
                ));
            }
            let forbidden = forbidden
                .get(name)
                .is_some_and(|list| list.contains(&other));
            if forbidden && dependency.kind.as_deref() != Some("dev") {
                found.push(format!(
                    "{name} names {other}, which its layer does without"
                ));
            }
        }
    }
    found
}

pub fn check_core_sources(files: &[TextFile]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path.starts_with("broker/core/src/"))
    {
        for (index, line) in file.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            if let Some(word) = CORE_WORDS.iter().find(|word| code.contains(*word)) {
                let (name, line) = (&file.path, index + 1);
                found.push(format!("{name}:{line}: the core does without {word}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, dependency: &str, kind: Option<&str>) -> Manifest {
        Manifest {
            name: name.to_owned(),
            dependencies: vec![Dependency {
                name: dependency.to_owned(),
                kind: kind.map(str::to_owned),
            }],
        }
    }

    #[test]
    fn a_face_that_names_the_storage_is_found_even_in_its_tests() {
        assert_eq!(
            check(&[manifest("weir-kafka", "weir-storage", None)]).len(),
            1
        );
        assert_eq!(
            check(&[manifest("weir-kafka", "weir-storage", Some("dev"))]).len(),
            1
        );
        assert!(check(&[manifest("weir-kafka", "weir-api", None)]).is_empty());
    }

    #[test]
    fn a_core_with_tokio_is_found() {
        assert_eq!(check(&[manifest("weir-core", "tokio", None)]).len(), 1);
        assert!(check(&[manifest("weir-core", "tokio", Some("dev"))]).is_empty());
    }

    #[test]
    fn a_crate_outside_the_law_is_found() {
        assert_eq!(check(&[manifest("weir-new", "serde", None)]).len(), 1);
    }

    #[test]
    fn a_core_that_reads_a_clock_is_found_and_its_comments_are_not() {
        let file = |text: &str| TextFile {
            path: "broker/core/src/a.rs".to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(
            check_core_sources(&[file("let t = Instant::now();")]).len(),
            1
        );
        assert!(check_core_sources(&[file("// never Instant::now()")]).is_empty());
    }
}
