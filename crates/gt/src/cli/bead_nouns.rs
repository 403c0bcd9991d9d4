//! The verbs of `gt bead` (`bd`) that have verbs of their own: dependencies, labels, epics, settings.

use clap::{Subcommand, ValueEnum};

/// Verbs of dependencies.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DepVerb {
    /// Make one bead wait for another
    Add {
        /// The bead that waits
        bead: String,
        /// The bead that it waits for
        #[arg(required_unless_present = "blocked_by")]
        on: Option<String>,
        /// The same
        #[arg(long, visible_alias = "depends-on", conflicts_with = "on", value_name = "ON")]
        blocked_by: Option<String>,
        /// How: blocks, parent-child, related …
        #[arg(long = "type", short = 't', default_value = "blocks")]
        kind: String,
    },
    /// Take it back
    #[command(visible_alias = "rm")]
    Remove {
        /// The bead that waits
        bead: String,
        /// The bead that it waits for
        on: String,
    },
    /// What a bead depends on, or what depends on it
    List {
        /// The bead
        bead: String,
        /// down: what it depends on; up: what depends on it
        #[arg(long, value_enum, default_value_t)]
        direction: DirectionArg,
        /// Only of this kind
        #[arg(long = "type", short = 't')]
        kind: Option<String>,
    },
    /// Draw what a bead depends on, and what that depends on
    Tree {
        /// The bead
        bead: String,
        /// down: what it depends on; up: what depends on it
        #[arg(long, value_enum, default_value_t)]
        direction: DirectionArg,
        /// The other way
        #[arg(long, hide = true)]
        reverse: bool,
        /// At most so deep
        #[arg(long, short = 'd', visible_alias = "depth", default_value_t = 50)]
        max_depth: usize,
        /// As a Mermaid flowchart
        #[arg(long)]
        mermaid: bool,
        /// The same: `--format mermaid`
        #[arg(long, hide = true, value_parser = ["mermaid", "json", "text"])]
        format: Option<String>,
    },
    /// Beads that wait for each other in a circle
    Cycles,
}

/// Which way dependencies are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DirectionArg {
    /// What a bead depends on.
    #[default]
    Down,
    /// What depends on a bead.
    Up,
}

/// Verbs of labels.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum LabelVerb {
    /// Add a label to beads
    Add {
        /// The beads, and the label as the last word
        #[arg(required = true, value_name = "BEAD… LABEL")]
        words: Vec<String>,
    },
    /// Take a label off beads
    #[command(visible_alias = "rm")]
    Remove {
        /// The beads, and the label as the last word
        #[arg(required = true, value_name = "BEAD… LABEL")]
        words: Vec<String>,
    },
    /// A bead's labels
    List {
        /// The bead
        bead: String,
    },
    /// All labels, and how many beads have each
    ListAll,
}

/// Verbs of epics.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum EpicVerb {
    /// How far each open epic is
    Status {
        /// Only those of which all children are closed
        #[arg(long)]
        eligible_only: bool,
    },
    /// Close those of which all children are closed
    CloseEligible {
        /// Only say which
        #[arg(long)]
        dry_run: bool,
    },
}

/// Verbs of the ledger's own settings.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ConfigVerb {
    /// Say one
    Get {
        /// Its key
        key: String,
    },
    /// Set one
    Set {
        /// Its key
        key: String,
        /// Its value
        value: String,
    },
    /// Say all
    List,
    /// Take one away
    Unset {
        /// Its key
        key: String,
    },
}
