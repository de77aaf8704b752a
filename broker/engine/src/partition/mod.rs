//! Shards that own partitions.
