//! The grammar of `gt session`, and what sessions run in.

use clap::{Subcommand, ValueEnum};
use gt_model::runtime::RuntimeChoice;

/// What sessions run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuntimeArg {
    /// In tmux where there is one that will do, else headless.
    Auto,
    /// In a terminal of the town's own tmux.
    Tmux,
    /// Without a terminal.
    Headless,
}

impl From<RuntimeArg> for RuntimeChoice {
    fn from(arg: RuntimeArg) -> Self {
        match arg {
            RuntimeArg::Auto => Self::Auto,
            RuntimeArg::Tmux => Self::Tmux,
            RuntimeArg::Headless => Self::Headless,
        }
    }
}

/// Verbs of sessions.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum SessionVerb {
    /// List the sessions that run or are to run
    List {
        /// Those of the past too
        #[arg(long)]
        all: bool,
    },
    /// Show a session: processes, runtime, how it ended
    Show {
        /// Its id, or its worker's address
        session: String,
    },
    /// Show a session's terminal in yours; detach with C-b d
    Attach {
        /// Its id, or its worker's address
        session: String,
    },
    /// End a session; the witness starts the work again, in a new one (gt unsling takes the bead back)
    Stop {
        /// Its id, or its worker's address
        session: String,
    },
}
