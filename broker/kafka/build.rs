//! Turns `schema/*.txt` into Rust: `build/schema.rs` reads, `build/emit.rs` writes.

#[path = "build/emit.rs"]
mod emit;
#[path = "build/schema.rs"]
mod schema;

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=schema");
    println!("cargo::rerun-if-changed=build");
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir("schema")? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "txt") {
            paths.push(path);
        }
    }
    let mut apis = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path)?;
        let api = schema::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        apis.push(api);
    }
    apis.sort_by_key(|api| api.key);
    let out = PathBuf::from(env::var("OUT_DIR")?).join("messages.rs");
    fs::write(out, emit::emit(&apis))?;
    Ok(())
}
