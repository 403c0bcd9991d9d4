//! The grammar of `gt mayor`.

use clap::Subcommand;

use super::RuntimeArg;

/// Verbs of the mayor.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum MayorVerb {
    /// Start the mayor; it is kept running until you stop it
    Start {
        /// As this kind of agent [default: [mayor] agent in town.toml, else the town's]
        #[arg(long)]
        agent: Option<String>,
        /// In a terminal of the town's tmux, or without one [default: as town.toml says]
        #[arg(long, value_enum)]
        runtime: Option<RuntimeArg>,
    },
    /// Tell the mayor what is to be built, or ask it something; it is started where it does not run
    Ask {
        /// What; `-` reads it from standard input
        text: String,
        /// Wait for its answer, and print it
        #[arg(long)]
        wait: bool,
        /// Seconds to wait for the answer
        #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "wait")]
        timeout: u64,
    },
    /// Let the mayor run a command, or use a tool, without asking: at once, if it is at work too
    ///
    /// As `gt rig allow`; kept as `allow` under `[mayor]` in town.toml.
    Allow {
        /// The first words of the command, or the tool
        #[arg(required_unless_present_any = ["list", "remove"])]
        pattern: Option<String>,
        /// List what is allowed
        #[arg(long, conflicts_with_all = ["pattern", "remove"])]
        list: bool,
        /// Take this back
        #[arg(long, value_name = "PATTERN", conflicts_with = "pattern")]
        remove: Option<String>,
    },
    /// Show the mayor's terminal in yours; detach with C-b d
    Attach,
    /// Stop the mayor; it stays stopped until you start it
    Stop,
    /// What the mayor is doing
    Status,
}
