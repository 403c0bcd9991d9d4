//! How beads are imported.

use clap::Args;
use gt_town::sync::port::ImportOptions;

// How beads are imported. A doc comment would replace that of verbs whose own help is not in a struct.
#[derive(Clone, Copy, Debug, Args)]
pub struct ImportFlags {
    /// Only say what would be imported
    #[arg(long)]
    dry_run: bool,
    /// Import every valid line even if others can't be read
    #[arg(long)]
    salvage: bool,
    /// Replace a bead here by the version in the file unless that is older, instead of merging the two
    #[arg(long)]
    replace: bool,
}

impl From<ImportFlags> for ImportOptions {
    fn from(flags: ImportFlags) -> Self {
        let ImportFlags { dry_run: rehearse, salvage, replace } = flags;
        Self { salvage, replace, rehearse }
    }
}
