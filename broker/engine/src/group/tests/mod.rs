mod admin;
mod failover;
mod members;
pub(super) mod memory;
mod offsets;
mod requests;
mod topic;
mod whole;
