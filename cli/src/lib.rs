//! weir-cli.
