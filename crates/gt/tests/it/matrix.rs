//! The kill matrix: whoever acts is killed at each fault point, and everything still ends as it must.
//!
//! The story is three beads of a convoy: one is red at first, two conflict, one is fed by the deacon. Which points
//! there are is read from the engine's own source; a story that never reaches one of them proves nothing about it, so
//! that fails.

mod points;
mod simulated;
mod story;
