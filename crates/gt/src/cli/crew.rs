//! The grammar of `gt crew`.

use clap::Subcommand;

use super::RuntimeArg;

/// Verbs of crew.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum CrewVerb {
    /// Make a workspace at the trunk, on the branch crew/<name>
    Add {
        /// The rig
        rig: String,
        /// The crew member's name
        name: String,
    },
    /// List the workspaces
    List {
        /// Only of this rig
        rig: Option<String>,
    },
    /// Start an agent in a workspace; it is kept running until you stop it
    Start {
        /// The rig
        rig: String,
        /// The crew member's name
        name: String,
        /// As this kind of agent [default: as rig.toml and town.toml say]
        #[arg(long)]
        agent: Option<String>,
        /// In a terminal of the town's tmux, or without one [default: as rig.toml and town.toml say]
        #[arg(long, value_enum)]
        runtime: Option<RuntimeArg>,
    },
    /// Show an agent's terminal in yours; detach with C-b d
    Attach {
        /// The rig
        rig: String,
        /// The crew member's name
        name: String,
    },
    /// Stop the agent of a workspace; it stays stopped until you start it
    Stop {
        /// The rig
        rig: String,
        /// The crew member's name
        name: String,
    },
    /// Put a workspace into the archive, with a snapshot; nothing in it is lost
    Remove {
        /// The rig
        rig: String,
        /// The crew member's name
        name: String,
    },
}
