//! The grammar of `gt convoy`.

use clap::Subcommand;

/// Verbs of convoys.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ConvoyVerb {
    /// Make a convoy of beads
    Create {
        /// Its title
        title: String,
        /// Its beads
        beads: Vec<String>,
        /// Beads that become ready are slung by the mayor or a person, not by the deacon
        #[arg(long)]
        manual: bool,
    },
    /// List convoys
    List {
        /// Landed ones too
        #[arg(long)]
        all: bool,
    },
    /// Show a convoy and its beads
    Show {
        /// Its id
        id: String,
    },
    /// Add beads to a convoy
    Add {
        /// Its id
        id: String,
        /// The beads
        #[arg(required = true)]
        beads: Vec<String>,
    },
}
