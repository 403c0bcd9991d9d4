//! The demo: a whole town at work on a small project, as data, and the checks that inspect it from outside.
//!
//! The real world and the simulated one both use the project ([`project`]) and its story ([`story`]). [`verify`] checks a
//! finished demo without the engine's help.

mod git;
pub mod judge;
pub mod progress;
pub mod project;
pub mod run;
pub mod story;
pub mod verify;
