//! The grammar of `gt mail`.

use clap::{Subcommand, ValueEnum};

/// Verbs of mail.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum MailVerb {
    /// Send mail
    Send {
        /// To whom: mayor/, overseer, <rig>/witness, <rig>/polecats/<name> …
        #[arg(required = true)]
        to: Vec<String>,
        /// One line
        #[arg(long, short)]
        subject: String,
        /// The text; `-` reads it from standard input
        #[arg(long, short, default_value = "")]
        message: String,
        /// How soon it wants to be read
        #[arg(long, short, value_enum, default_value_t)]
        priority: PriorityArg,
    },
    /// List your mail
    Inbox {
        /// Only what you have not read
        #[arg(long)]
        unread: bool,
        /// Somebody else's, for a person to look at
        #[arg(long, value_name = "ADDRESS")]
        of: Option<String>,
    },
    /// Read a mail
    Read {
        /// Its id
        id: String,
        /// Of another agent's inbox, for a person to look at: it stays unread there
        #[arg(long, value_name = "ADDRESS")]
        of: Option<String>,
    },
}

/// How soon a mail wants to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PriorityArg {
    /// Before the recipient's turn ends.
    Urgent,
    /// After its next tool call.
    High,
    /// With its next prompt.
    #[default]
    Normal,
    /// Some time.
    Low,
}
