//! Git.
/// Git.
#[derive(Debug, Default)]
pub struct Git;
