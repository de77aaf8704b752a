mod admin;
mod failover;
mod members;
mod memory;
mod offsets;
mod topic;
mod whole;
