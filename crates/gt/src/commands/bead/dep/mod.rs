//! `gt bead dep`.

use clap::{Subcommand, ValueEnum};

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod add;
mod cycles;
mod list;
mod remove;
mod tree;

/// Manage dependencies between beads
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DepVerb {
    Add(add::AddArgs),
    #[command(visible_alias = "rm")]
    Remove(remove::RemoveArgs),
    List(list::ListArgs),
    Tree(tree::TreeArgs),
    Cycles(cycles::CyclesArgs),
}

/// Runs a verb of `gt bead dep`.
pub fn dep(verb: &DepVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        DepVerb::Add(args) => add::add(args, context, console),
        DepVerb::Remove(args) => remove::remove(args, context, console),
        DepVerb::List(args) => list::list(args, context, console),
        DepVerb::Tree(args) => tree::tree(args, context, console),
        DepVerb::Cycles(args) => cycles::cycles(args, context, console),
    }
}

/// Direction in which dependencies are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DirectionArg {
    /// Beads that a bead depends on.
    #[default]
    Down,
    /// Beads that depend on a bead.
    Up,
}
