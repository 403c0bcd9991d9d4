//! The command line of Gas Town.

pub mod demo;
pub mod sim;
