//! Decisions over made-up observations.

mod bound;
mod down;
mod facts;
mod group;
mod properties;
mod score;
