//! One file a command.

pub mod consume;
pub mod groups;
pub mod produce;
pub mod release;
pub mod status;
pub mod topics;
