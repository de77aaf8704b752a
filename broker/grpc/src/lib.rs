//! The admin channel: what the operator and the command line call, over gRPC.

mod backlog;
mod cluster;
mod convert;
mod data;
mod groups;
mod operator;
mod placement;
mod server;
mod service;
mod status;
mod topics;

pub use server::{AdminServer, AdminTls};
