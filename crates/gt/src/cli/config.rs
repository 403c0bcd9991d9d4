//! The grammar of settings.

use clap::Subcommand;

/// Verbs of settings: of the town, or of a rig where `--rig` names one or only rigs have that key.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum SettingsVerb {
    /// List all settings: what the file says, and what holds without
    List {
        /// Of this rig [default: the town's]
        #[arg(long)]
        rig: Option<String>,
        /// Only those that the file says
        #[arg(long)]
        set: bool,
    },
    /// Print one setting
    Get {
        /// Its name, for example max_polecats
        key: String,
        /// Of this rig
        #[arg(long)]
        rig: Option<String>,
    },
    /// Change settings; comments in the file stay
    Set {
        /// For example max_polecats=9; an empty value takes a setting out of the file
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
        /// Of this rig
        #[arg(long)]
        rig: Option<String>,
    },
    /// Open the file in your editor ($VISUAL, $EDITOR); what can't be used is not taken over
    Edit {
        /// The rig's file [default: the town's]
        #[arg(long)]
        rig: Option<String>,
    },
    /// Say what settings mean, what they take, and when a change is heard
    Explain {
        /// Which [default: all]
        key: Option<String>,
    },
}
