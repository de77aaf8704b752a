//! The client's connections to all other brokers.

use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::{self, Connection};
use super::frame::BODY_BYTES_MAX;
use super::{Class, PeerError};

/// Longest wait for a connection, whatever the caller's own timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses remembered before those without a live connection are dropped.
const SLOTS_MAX: usize = 512;

/// Calls other brokers. Cheap to clone; all clones share the connections.
#[derive(Clone, Default)]
pub struct PeerNet {
    slots: Arc<Mutex<Slots>>,
}

type Slots = HashMap<(String, Class), Arc<Slot>>;

/// What a bare connection attempt found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Somebody listens there.
    Reachable,
    /// The host is there, and nobody listens; or its name or address does not exist.
    Gone,
    /// No answer in time: a slow, cut off or powered-off host.
    Silent,
}

#[derive(Default)]
struct Slot {
    /// Held while connecting, so that many callers make one connection.
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
}

impl PeerNet {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends one request to `address` (`host:port`) and waits for the answer, at most `timeout`
    /// including the time to connect.
    ///
    /// # Errors
    /// See [`PeerError::may_have_happened`]. Cancel-safe: dropping the future forgets the answer.
    pub async fn call(
        &self,
        address: &str,
        class: Class,
        kind: u16,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, PeerError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(PeerError::TooLarge {
                bytes: body.len(),
                limit: BODY_BYTES_MAX,
            });
        }
        let deadline = Instant::now() + timeout;
        let connection = self.connection(address, class, deadline).await?;
        match timeout_at(deadline, connection.call(kind, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(PeerError::Timeout {
                address: address.to_owned(),
                timeout,
            }),
        }
    }

    /// Tries to connect, nothing more.
    pub async fn probe(&self, address: &str, within: Duration) -> Probe {
        match timeout(within, connection::connect(address)).await {
            Ok(Ok(_)) => Probe::Reachable,
            Ok(Err(e)) if e.kind() == io::ErrorKind::TimedOut => Probe::Silent,
            Ok(Err(_)) => Probe::Gone,
            Err(_) => Probe::Silent,
        }
    }

    /// Returns when the connection that there is to `address` breaks or is replaced; never, if there
    /// is none. Cancel-safe.
    pub async fn broken(&self, address: &str, class: Class) {
        let slot = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.get(&(address.to_owned(), class)).cloned()
        };
        let closed = match slot {
            Some(slot) => slot.connection.lock().await.as_ref().map(|c| c.closed()),
            None => None,
        };
        match closed {
            Some(mut closed) => {
                let _ = closed.wait_for(|closed| *closed).await;
            }
            None => std::future::pending().await,
        }
    }

    /// Closes the connections to `address`; calls in flight break.
    pub fn disconnect(&self, address: &str) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|(a, _), _| a != address);
    }

    /// Closes everything.
    pub fn close(&self) {
        self.slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn slot(&self, address: &str, class: Class) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= SLOTS_MAX {
            slots.retain(|_, slot| slot.is_live());
        }
        Arc::clone(slots.entry((address.to_owned(), class)).or_default())
    }

    async fn connection(
        &self,
        address: &str,
        class: Class,
        deadline: Instant,
    ) -> Result<Arc<Connection>, PeerError> {
        let refuse = |reason: String| PeerError::Connect {
            address: address.to_owned(),
            reason,
        };
        let slot = self.slot(address, class);
        let deadline = deadline.min(Instant::now() + CONNECT_TIMEOUT);
        let connect = async {
            let mut held = slot.connection.lock().await;
            if let Some(live) = held.as_ref().filter(|c| !c.is_broken()) {
                return Ok(Arc::clone(live));
            }
            *held = None;
            let fresh = Arc::new(Connection::open(address, class).await?);
            *held = Some(Arc::clone(&fresh));
            io::Result::Ok(fresh)
        };
        match timeout_at(deadline, connect).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(e)) => Err(refuse(e.to_string())),
            Err(_) => Err(refuse("timed out".to_owned())),
        }
    }
}

impl Slot {
    fn is_live(&self) -> bool {
        match self.connection.try_lock() {
            Ok(held) => held.as_ref().is_some_and(|c| !c.is_broken()),
            Err(_) => true,
        }
    }
}
