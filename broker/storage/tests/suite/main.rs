//! The data folder and its logs, on a real disk and on the simulated one. One program: it links once.

mod compaction;
mod conformance;
mod dir_sync;
mod folder;
mod log;
mod model;
mod producers;
mod support;
mod validation;
