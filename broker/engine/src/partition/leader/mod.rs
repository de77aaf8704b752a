//! The leading side: sessions of followers, and the service that answers them.

mod collect;
mod positions;
mod service;
mod session;
mod sessions;

pub(super) use positions::Verdict;
pub(super) use service::PartitionService;
pub(super) use session::Session;
pub(super) use sessions::Sessions;
