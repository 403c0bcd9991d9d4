//! Installing a town, taking it up and down, and moving it.

pub mod home;
pub mod install;
pub mod updown;
