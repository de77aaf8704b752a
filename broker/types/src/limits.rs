//! Bounds on what a peer or client can make the broker allocate or do.

/// Largest Kafka request frame, bytes (`socket.request.max.bytes` of Kafka).
pub const FRAME_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Most bytes of requests in work of one Kafka connection; a larger request is alone in work on
/// its connection.
pub const CONNECTION_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest record batch, bytes (`message.max.bytes` of Kafka, with its batch overhead of 12).
pub const BATCH_BYTES_MAX: usize = 1024 * 1024 + 12;
/// Longest topic name, bytes (Kafka's 249).
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Most partitions of one topic.
pub const TOPIC_PARTITIONS_MAX: i32 = 10_000;
/// Most replicas of one partition.
pub const REPLICAS_MAX: usize = 32;
/// Longest group id, member id, client id or user string kept in memory, bytes.
pub const NAME_BYTES_MAX: usize = 4096;
/// Most members of one consumer group.
pub const GROUP_MEMBERS_MAX: usize = 10_000;
/// Largest metadata of one committed offset, bytes (`offset.metadata.max.bytes`).
pub const OFFSET_METADATA_BYTES_MAX: usize = 4096;
/// Largest sum of bytes that a compressed batch may expand to while it is checked.
pub const DECOMPRESSED_BYTES_MAX: usize = 256 * 1024 * 1024;
