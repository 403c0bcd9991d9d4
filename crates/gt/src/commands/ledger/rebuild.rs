//! `gt ledger rebuild`.

use clap::{Args, ValueEnum};
use gt_town::Error;
use gt_town::town::identity;
use gt_town::town::layout::Layout;
use gt_town::town::person::Act;

use crate::Process;
use crate::cli::Global;
use crate::console::Console;
use crate::context::find_town;
use crate::error::CliResult;

/// Rebuild a town's lost ledger: beads and rigs from git or from the exported files, hooks from snapshots
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// The source
    #[arg(long, value_enum)]
    from: RebuildSource,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Source from which a lost ledger is rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RebuildSource {
    /// The branch gt-ledger of the town's repository.
    Git,
    /// The exported files of town and rigs, and that branch where it knows more.
    Jsonl,
}

/// Runs `gt ledger rebuild`.
pub fn rebuild(args: &RebuildArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    let root = find_town(global, process)?;
    let act = Act { refused: "rebuilds a ledger", what: "rebuild", on: "ledger" };
    identity::person_of_lost(&Layout::new(&root).ledger(), Some(&root), &process.outside, act)?;
    if !args.yes {
        let hint = "it loses what was never written there; if there is a backup, gt ledger restore is better";
        return Err(Error::refused("nothing was rebuilt: say --yes", hint).into());
    }
    let rebuilt = match args.from {
        RebuildSource::Git => gt_town::sync::rebuild::from_git(&root, &process.outside)?,
        RebuildSource::Jsonl => gt_town::sync::rebuild::from_files(&root, &process.outside)?,
    };
    if console.is_json() {
        return console.facts("gt.rebuild/1", "rebuilt", rebuilt);
    }
    for (bead, snapshot) in &rebuilt.hooks {
        console.say(&format!("{bead} was in work: gt polecat recover {bead} continues from {}", snapshot.short()))?;
    }
    let kept = rebuilt.kept.map(|path| format!("; the old one is in {}", path.display())).unwrap_or_default();
    let commit = rebuilt.commit.as_deref().map(|commit| commit.get(..10).unwrap_or(commit).to_owned());
    let files = (!rebuilt.files.is_empty()).then(|| format!("{} files", rebuilt.files.len()));
    let sources: Vec<String> = files.into_iter().chain(commit).collect();
    let (beads, rigs) = (rebuilt.beads, rebuilt.rigs.len());
    console.say(&format!("{beads} beads and {rigs} rigs from {}{kept}", sources.join(" and ")))?;
    Ok(0)
}
