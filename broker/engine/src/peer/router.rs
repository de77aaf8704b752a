//! Who serves which kind of request.

use async_trait::async_trait;
use bytes::Bytes;
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock};

use super::PeerFault;

/// One accepted connection, unique in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Serves some kinds of requests of other brokers.
#[async_trait]
pub trait PeerService: Send + Sync + 'static {
    /// Answers one request. Requests of one connection run concurrently. The future is dropped
    /// when the connection closes or the server stops: what must not be torn belongs in a task.
    async fn handle(&self, kind: u16, body: Bytes) -> Result<Bytes, PeerFault>;

    /// As `handle`, for services that care which connection a request came by.
    async fn handle_from(
        &self,
        _connection: ConnectionId,
        kind: u16,
        body: Bytes,
    ) -> Result<Bytes, PeerFault> {
        self.handle(kind, body).await
    }

    /// A connection that had been accepted is gone: closed, reset, or this server stops.
    /// Called once for every connection, on every service.
    fn disconnected(&self, _connection: ConnectionId) {}
}

type Route = (RangeInclusive<u16>, Arc<dyn PeerService>);

/// Ranges of request kinds and their services. Services may join while the server runs: a broker
/// listens before all of it is up.
#[derive(Default)]
pub struct PeerRouter {
    routes: RwLock<Vec<Route>>,
}

impl PeerRouter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends these kinds to `service` from now on. A later range wins over an earlier one.
    pub fn register(&self, kinds: RangeInclusive<u16>, service: Arc<dyn PeerService>) {
        self.routes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push((kinds, service));
    }

    pub(super) fn find(&self, kind: u16) -> Option<Arc<dyn PeerService>> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let found = routes.iter().rev().find(|(kinds, _)| kinds.contains(&kind));
        found.map(|(_, service)| Arc::clone(service))
    }

    pub(super) fn disconnected(&self, connection: ConnectionId) {
        let services: Vec<_> = {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            routes.iter().map(|(_, s)| Arc::clone(s)).collect()
        };
        for service in services {
            service.disconnected(connection);
        }
    }
}
