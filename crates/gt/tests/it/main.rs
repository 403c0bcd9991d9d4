//! Whole towns, driven through the built `gt`: real git, real processes, temporary folders.

mod bad_input;
mod crashes;
mod failure_modes;
mod flow;
mod town;
