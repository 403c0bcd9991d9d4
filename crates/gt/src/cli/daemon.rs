//! The grammar of the daemons.

use clap::Subcommand;

/// Verbs of the deacon.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DeaconVerb {
    /// Be the daemon, in the foreground (`gt up` starts it in the background)
    Run {
        /// Wait until the one that runs has ended, and take its place
        #[arg(long)]
        wait: bool,
    },
}

/// Verbs of boot.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum BootVerb {
    /// Start the daemon and start it again when it dies, in the foreground (`gt up` starts this in the background)
    Run {
        /// Start it in the background and leave
        #[arg(long, hide = true)]
        detach: bool,
    },
}
