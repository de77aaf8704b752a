use std::sync::Arc;
use tokio::sync::Semaphore;
use weir_api::Engine;

use crate::{KafkaConfig, fetch_session::FetchSessions};

/// Bytes that one permit of the request budget stands for.
pub(crate) const BUDGET_UNIT_BYTES: usize = 1024;

/// What all connections of a face share.
pub(crate) struct Context {
    pub engine: Arc<dyn Engine>,
    pub config: KafkaConfig,
    pub sessions: FetchSessions,
    /// In units of [`BUDGET_UNIT_BYTES`].
    pub request_budget: Arc<Semaphore>,
}

impl Context {
    pub(crate) fn new(engine: Arc<dyn Engine>, config: KafkaConfig) -> Self {
        let sessions = FetchSessions::new(
            config.fetch_sessions_max,
            config.fetch_session_partitions_max,
        );
        let request_budget = Arc::new(Semaphore::new(Self::budget_units(&config)));
        Self {
            engine,
            config,
            sessions,
            request_budget,
        }
    }

    /// Permits that a request of `bytes` takes; a request larger than the budget takes it all.
    pub(crate) fn units(&self, bytes: usize) -> u32 {
        let units = bytes
            .div_ceil(BUDGET_UNIT_BYTES)
            .min(Self::budget_units(&self.config));
        u32::try_from(units).unwrap_or(u32::MAX)
    }

    fn budget_units(config: &KafkaConfig) -> usize {
        let most = Semaphore::MAX_PERMITS.min(u32::MAX as usize);
        (config.request_bytes_max / BUDGET_UNIT_BYTES).clamp(1, most)
    }
}
