//! weir-storage.
