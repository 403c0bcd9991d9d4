//! The demo: a whole town at work on a small project, as data, and what looks at it from outside.
//!
//! The project ([`project`]) and its story ([`story`]) are used in the real world and in the simulated one. [`verify`]
//! checks a finished demo without the engine's help.

mod git;
pub mod judge;
pub mod progress;
pub mod project;
pub mod run;
pub mod story;
pub mod verify;
