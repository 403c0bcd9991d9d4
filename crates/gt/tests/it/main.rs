//! The whole of `gt`, from outside.

mod simulated;
mod story;
