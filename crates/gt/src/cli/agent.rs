//! The grammar of `gt agent`.

use clap::Subcommand;

/// Verbs of kinds of agent.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum AgentVerb {
    /// List the kinds that there are
    List,
    /// Show how a kind is started
    Show {
        /// Which
        kind: String,
    },
    /// Look whether a kind can work: program, login, who pays, permissions, what the gates need
    Check {
        /// Which [default: the kind that the town's workers are]
        kind: Option<String>,
        /// Only as this rig's workers get it [default: of all rigs]
        #[arg(long)]
        rig: Option<String>,
        /// Take the PATH of this shell for all agents and gates first, as `gt up` does
        #[arg(long)]
        update: bool,
    },
}
