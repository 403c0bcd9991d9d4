//! The grammar of `gt agent`.

use clap::{Subcommand, ValueEnum};

/// What a person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnswerArg {
    /// This once
    Yes,
    /// Not this; the agent is told so, and goes on without
    No,
    /// This once, and from now on without asking, for all agents of the rig: gt rig allow
    Always,
}

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
    /// Answer the question that stands in an agent's terminal: may it use a tool, is a folder or a key to be trusted
    ///
    /// An agent without a terminal asks nothing: what it was denied is under "needs you", with the line that allows it.
    Answer {
        /// Whose: an address, as `gt status` has it
        address: String,
        /// What
        #[arg(value_enum)]
        answer: AnswerArg,
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
