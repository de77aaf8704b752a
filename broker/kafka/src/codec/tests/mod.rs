//! Random messages through this codec and through the `kafka-protocol` crate.

mod bad_input;
mod generate;
mod round_trip;
mod versions;

pub(crate) use generate::Gen;
