//! weir-kafka.
