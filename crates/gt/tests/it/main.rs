//! Whole towns, driven through the built `gt`: real git, real processes, temporary folders.

mod crashes;
mod failure_modes;
mod flow;
mod town;
