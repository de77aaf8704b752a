//! One file a command.

pub mod consume;
pub mod export;
pub mod groups;
pub mod operator_epoch;
pub mod produce;
pub mod release;
pub mod restart;
pub mod scaler;
pub mod status;
pub mod topics;
