//! Moments of a session: what clients' hooks say and are answered, nudges, questions, and what is allowed.

pub mod allow;
mod answer;
pub mod asking;
pub mod nudge;

pub use answer::*;
