//! weir-crds.
