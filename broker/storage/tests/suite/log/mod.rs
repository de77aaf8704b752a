//! The log as its writer and readers see it.

mod appends;
mod recovery;
mod retention;
