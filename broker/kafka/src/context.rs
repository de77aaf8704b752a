use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weir_api::Engine;

use crate::{KafkaConfig, fetch_session::FetchSessions};

/// Bytes that one permit of the request budget stands for.
const BUDGET_UNIT_BYTES: usize = 1024;

/// Requests from this size on share half of the budget: however slowly they arrive, the others go
/// on.
const LARGE_BYTES: usize = 1024 * 1024;

/// Bytes of requests in work, in units of [`BUDGET_UNIT_BYTES`].
struct Budget {
    free: Arc<Semaphore>,
    units: usize,
}

/// What one connection may have in work at once.
pub(crate) struct ConnectionBudget(Budget);

/// A request's part of the budgets, given back when it is dropped.
pub(crate) struct Share {
    _own: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
    _large: Option<OwnedSemaphorePermit>,
}

/// What all connections of a face share.
pub(crate) struct Context {
    pub engine: Arc<dyn Engine>,
    pub config: KafkaConfig,
    pub sessions: FetchSessions,
    /// Of all requests.
    budget: Budget,
    /// Of large ones.
    large_budget: Budget,
}

impl Context {
    pub(crate) fn new(engine: Arc<dyn Engine>, config: KafkaConfig) -> Self {
        let sessions = FetchSessions::new(
            config.fetch_sessions_max,
            config.fetch_session_partitions_max,
        );
        let budget = Budget::of(config.request_bytes_max);
        Self {
            engine,
            sessions,
            large_budget: Budget::of(config.request_bytes_max.div_ceil(2)),
            budget,
            config,
        }
    }

    /// For a new connection.
    pub(crate) fn connection_budget(&self) -> ConnectionBudget {
        ConnectionBudget(Budget::of(self.config.connection_bytes_max))
    }

    /// Waits until there is room for a request of `bytes`: on its connection first, so that one
    /// that has enough in work takes nothing from the others. A request that is larger than a
    /// budget takes it all. `None`: the face is gone. Cancel-safe.
    pub(crate) async fn admit(&self, own: &ConnectionBudget, bytes: usize) -> Option<Share> {
        let own = own.0.acquire(bytes).await?;
        let large = if bytes >= LARGE_BYTES {
            Some(self.large_budget.acquire(bytes).await?)
        } else {
            None
        };
        Some(Share {
            _own: own,
            _bytes: self.budget.acquire(bytes).await?,
            _large: large,
        })
    }
}

impl Budget {
    fn of(bytes: usize) -> Self {
        let most = Semaphore::MAX_PERMITS.min(u32::MAX as usize);
        let units = (bytes / BUDGET_UNIT_BYTES).clamp(1, most);
        Self {
            free: Arc::new(Semaphore::new(units)),
            units,
        }
    }

    async fn acquire(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(BUDGET_UNIT_BYTES).min(self.units);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Arc::clone(&self.free).acquire_many_owned(units).await.ok()
    }
}
