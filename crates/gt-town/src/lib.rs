//! The engine of Gas Town.

pub mod world;
