//! Brokers as processes and their admin channel. One program: it links once.

mod all_stop;
mod certificate;
mod operator_epoch;
