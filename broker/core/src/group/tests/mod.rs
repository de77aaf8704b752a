mod expiry;
mod harness;
mod join;
mod leave;
mod random;
mod static_member;
mod sync;
