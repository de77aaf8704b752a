//! The tree that this crate stands in keeps its own rules.

use std::path::Path;

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found = weir_tidy::findings(&root).expect("the tree can be read");
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
