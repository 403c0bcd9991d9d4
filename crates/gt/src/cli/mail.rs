//! The grammar of `gt mail`.

use clap::Subcommand;

/// Verbs of mail.
#[derive(Debug, Subcommand)]
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
    },
}
