//! The whole of `gt`, from outside.

mod both_worlds;
mod misbehaviour;
mod real;
mod simulated;
mod story;
