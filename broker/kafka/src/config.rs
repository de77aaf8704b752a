use std::time::Duration;
use weir_types::limits;

/// Bounds and habits of the Kafka face. Defaults are Kafka's where Kafka has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Most connections at once, over all listeners; more are closed at once.
    pub connections_max: usize,
    /// A connection on which nothing happens for so long is closed (`connections.max.idle.ms`).
    pub idle_max: Duration,
    /// Whether Metadata requests may create topics (`auto.create.topics.enable`).
    pub auto_create: bool,
    /// Largest request, bytes, its length prefix not counted (`socket.request.max.bytes`).
    pub frame_bytes_max: usize,
    /// Most bytes of requests in work, over all connections; beyond them sockets are not read.
    /// Requests of a mebibyte and more get half of it.
    pub request_bytes_max: usize,
    /// Most bytes of requests in work of one connection; beyond them its socket is not read.
    /// A larger request is in work alone.
    pub connection_bytes_max: usize,
    /// Largest answer to a Fetch, bytes, unless a single batch is larger (`fetch.max.bytes`).
    pub fetch_bytes_max: usize,
    /// Fetch sessions kept (`max.incremental.fetch.session.cache.slots`).
    pub fetch_sessions_max: usize,
    /// Partitions over all fetch sessions kept.
    pub fetch_session_partitions_max: usize,
    /// How long requests that were begun may take when the face stops.
    pub drain_max: Duration,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            idle_max: Duration::from_secs(600),
            auto_create: true,
            frame_bytes_max: limits::FRAME_BYTES_MAX,
            request_bytes_max: 512 * 1024 * 1024,
            connection_bytes_max: limits::CONNECTION_BYTES_MAX,
            fetch_bytes_max: 55 * 1024 * 1024,
            fetch_sessions_max: 1000,
            fetch_session_partitions_max: 1_000_000,
            drain_max: Duration::from_secs(10),
        }
    }
}
