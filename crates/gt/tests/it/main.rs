//! The whole of `gt`, from outside: in the simulated world, and with the built binary on real towns in temporary
//! folders (real git, real processes).

mod both_worlds;
mod crashes;
mod failure_modes;
mod real;
mod simulated;
mod story;
mod terminals;
mod town;
