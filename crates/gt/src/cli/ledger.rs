//! The grammar of the ledger as a file, and of what is taken into it from elsewhere.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use gt_town::sync::port::ImportOptions;

use super::BeadFlags;

// `gt ledger`.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    /// Which ledger.
    #[command(flatten)]
    pub flags: BeadFlags,
    /// The verb.
    #[command(subcommand)]
    pub verb: LedgerVerb,
}

/// Verbs of the ledger as a file.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum LedgerVerb {
    /// Check the file, and what is in it
    Check,
    /// Copy it while others go on writing, and check the copy
    Backup {
        /// The new file [default: backups/ beside the ledger, with the time in its name]
        to: Option<PathBuf>,
    },
    /// Put a backup in its place, also of one that can't be opened; what was there is kept in backups/
    Restore {
        /// The backup
        from: PathBuf,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Give back the room that is free in it
    Vacuum,
    /// Make a lost ledger of a town again: beads and rigs from git or from the exported files, hooks from snapshots
    Rebuild {
        /// From what
        #[arg(long, value_enum)]
        from: RebuildSource,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// For git: merge a file of beads field by field, without conflict markers
    ///
    /// In .gitattributes: `issues.jsonl merge=beads`; and once in each clone:
    /// git config merge.beads.driver "gt ledger merge-driver %O %A %B"
    MergeDriver {
        /// The file as both had it last
        base: PathBuf,
        /// The file here; what both say is written to it
        ours: PathBuf,
        /// The file there
        theirs: PathBuf,
    },
}

/// What a lost ledger is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RebuildSource {
    /// The branch gt-ledger of the town's repository.
    Git,
    /// The exported files of town and rigs, and that branch where it knows more.
    Jsonl,
}

// `gt import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Into which ledger.
    #[command(flatten)]
    pub flags: BeadFlags,
    /// The verb.
    #[command(subcommand)]
    pub verb: ImportVerb,
}

/// What can be taken in.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ImportVerb {
    /// Beads of a project's .beads folder, or of a town of the Go Gas Town with its rigs
    Beads {
        /// The project, its .beads, or the town
        folder: PathBuf,
        /// How.
        #[command(flatten)]
        how: ImportFlags,
    },
}

/// How beads are taken in.
#[derive(Clone, Copy, Debug, Args)]
pub struct ImportFlags {
    /// Only say what would be imported
    #[arg(long)]
    dry_run: bool,
    /// Take every good line though others can't be read
    #[arg(long)]
    salvage: bool,
    /// Let a version in the file that is not older take the place of the bead here, instead of merging the two
    #[arg(long)]
    replace: bool,
}

impl From<ImportFlags> for ImportOptions {
    fn from(flags: ImportFlags) -> Self {
        let ImportFlags { dry_run: rehearse, salvage, replace } = flags;
        Self { salvage, replace, rehearse }
    }
}
