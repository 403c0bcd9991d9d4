//! Mail between agents and people.

pub mod post;
