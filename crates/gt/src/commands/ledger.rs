//! Verbs for the ledger as a file, and for imports into it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use gt_town::Error;
use gt_town::sync::adopt::{self, Found};
use gt_town::sync::port::ImportOptions;
use gt_town::sync::solo;
use gt_town::town::identity;
use gt_town::town::layout::Layout;
use gt_town::town::person::{self, Act};
use serde_json::json;

use super::bead;
use super::sync;
use crate::Process;
use crate::cli::{BeadFlags, Global, ImportArgs, ImportVerb, LedgerArgs, LedgerVerb, RebuildSource};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Runs `gt ledger`.
pub fn run(args: &LedgerArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    if let LedgerVerb::MergeDriver { base, ours, theirs } = &args.verb {
        return sync::merge_driver([base, ours, theirs], process, console);
    }
    if let LedgerVerb::Rebuild { from, yes } = &args.verb {
        return rebuild(*from, *yes, global, process, console);
    }
    let context = &match (bead::open(&args.flags, global, process), &args.verb) {
        (Ok(context), _) => context,
        (Err(CliError::Engine(Error::Ledger(error))), LedgerVerb::Restore { from, yes }) if error.is_lost() => {
            console.note(&error.to_string())?;
            return restore_lost(&process.cwd.join(from), *yes, &args.flags, global, process, console);
        }
        (Err(error), _) => return Err(error),
    };
    match &args.verb {
        LedgerVerb::Check => bead::check(context, console),
        LedgerVerb::Backup { to } => {
            let to = to.as_ref().map_or_else(|| fresh(context, "backup"), |path| process.cwd.join(path));
            let copied = context.town.ledger.copy_to(&to)?;
            if console.is_json() {
                return console.facts("gt.backup/1", "backup", copied);
            }
            let (path, beads, bytes) = (copied.path.display(), copied.beads, copied.bytes);
            console.say(&printable(&format!("{path}: {beads} beads, {bytes} bytes, checked")))?;
            Ok(0)
        }
        LedgerVerb::Restore { from, yes } => restore(&process.cwd.join(from), *yes, context, console),
        LedgerVerb::MergeDriver { .. } | LedgerVerb::Rebuild { .. } => {
            unreachable!("they need no ledger, so they are done above")
        }
        LedgerVerb::Vacuum => {
            let (before, after) = context.town.ledger.vacuum()?;
            if console.is_json() {
                return console.facts("gt.vacuum/1", "vacuum", json!({ "bytes_before": before, "bytes_after": after }));
            }
            console.say(&format!("{before} bytes before, {after} after"))?;
            Ok(0)
        }
    }
}

/// Runs `gt ledger rebuild`.
fn rebuild(from: RebuildSource, yes: bool, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    let root = crate::context::find_town(global, process)?;
    let act = Act { refused: "rebuilds a ledger", what: "rebuild", on: "ledger" };
    identity::person_of_lost(&Layout::new(&root).ledger(), Some(&root), &process.outside, act)?;
    if !yes {
        let hint = "what was never written there is lost by it; gt ledger restore is better where there is a backup";
        return Err(Error::refused("nothing was rebuilt: say --yes", hint).into());
    }
    let rebuilt = match from {
        RebuildSource::Git => gt_town::sync::rebuild::from_git(&root, &process.outside)?,
        RebuildSource::Jsonl => gt_town::sync::rebuild::from_files(&root, &process.outside)?,
    };
    if console.is_json() {
        return console.facts("gt.rebuild/1", "rebuilt", rebuilt);
    }
    for (bead, snapshot) in &rebuilt.hooks {
        console.say(&format!("{bead} was worked on: gt polecat recover {bead} goes on from {}", snapshot.short()))?;
    }
    let kept = rebuilt.kept.map(|path| format!("; what was there is in {}", path.display())).unwrap_or_default();
    let commit = rebuilt.commit.as_deref().map(|commit| commit.get(..10).unwrap_or(commit).to_owned());
    let files = (!rebuilt.files.is_empty()).then(|| format!("{} files", rebuilt.files.len()));
    let sources: Vec<String> = files.into_iter().chain(commit).collect();
    let (beads, rigs) = (rebuilt.beads, rebuilt.rigs.len());
    console.say(&format!("{beads} beads and {rigs} rigs from {}{kept}", sources.join(" and ")))?;
    Ok(0)
}

const RESTORE: Act<'_> = Act { refused: "restores a ledger", what: "restore", on: "ledger" };

/// Runs `gt ledger restore` for a ledger that can't be opened.
fn restore_lost(
    from: &Path,
    yes: bool,
    flags: &BeadFlags,
    global: &Global,
    process: &Process,
    console: &mut Console<'_>,
) -> CliResult {
    let (ledger, root) = bead::file(flags, global, process)?;
    identity::person_of_lost(&ledger, root.as_deref(), &process.outside, RESTORE)?;
    confirm(from, yes, console)?;
    let (copied, kept) = gt_town::sync::rebuild::from_backup(&ledger, root.as_deref(), from, &process.outside)?;
    // Opening the copy migrates one of an older gt, and reports a bad one now.
    drop(bead::open(flags, global, process)?);
    say_restored(from, copied.beads, kept.as_deref(), console)
}

/// Returns a path for a new file in the ledger's `backups/`, with the time in its name.
fn fresh(context: &Context<'_>, what: &str) -> PathBuf {
    let now = context.town.world().clock().now().to_string().replace([':', '.'], "-");
    context.town.ledger.path().with_file_name(gt_ledger::BACKUPS).join(format!("{what}-{now}.db"))
}

fn restore(from: &Path, yes: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    person::require(&context.caller, RESTORE.refused)?;
    context.town.ledger.refuse_confined().map_err(Error::from)?;
    let is_solo = context.town.ledger.path().file_name().is_some_and(|name| name == solo::FILE);
    if !is_solo && (context.town.deacon_runs()? || context.town.boot_runs()?) {
        return Err(Error::refused("the town is up", "gt down first: its agents work by this ledger").into());
    }
    confirm(from, yes, console)?;
    person::confirm(&context.town, &context.caller, RESTORE)?;
    let kept = context.town.ledger.copy_to(&fresh(context, "replaced"));
    let kept = match kept {
        Ok(copied) => Some(copied.path),
        // The ledger to be replaced may be too damaged to copy; then there is nothing to keep.
        Err(error) => {
            console.note(&format!("what was there could not be kept: {error}"))?;
            None
        }
    };
    let beads = context.town.ledger.restore_from(from)?;
    say_restored(from, beads, kept.as_deref(), console)
}

fn say_restored(from: &Path, beads: u64, kept: Option<&Path>, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.restore/1", "restored", json!({ "from": from, "beads": beads, "kept": kept }));
    }
    let kept = kept.map(|path| format!("; what was there is in {}", path.display())).unwrap_or_default();
    console.say(&format!("{beads} beads restored{kept}"))?;
    Ok(0)
}

fn confirm(from: &Path, yes: bool, console: &mut Console<'_>) -> Result<(), CliError> {
    let may_ask = console.is_terminal() && std::io::stdin().is_terminal();
    if yes || may_ask && asked(from, console)? {
        return Ok(());
    }
    Err(Error::refused("nothing was restored", "say --yes to restore without being asked").into())
}

fn asked(from: &Path, console: &mut Console<'_>) -> Result<bool, CliError> {
    console.line(&format!("put {} in the ledger's place? [y/N]", from.display()))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Runs `gt import`.
pub fn import(args: &ImportArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    let context = &bead::open(&args.flags, global, process)?;
    let ImportVerb::Beads { folder, how } = &args.verb;
    let options = ImportOptions::from(*how);
    let folder = process.cwd.join(folder);
    let found = adopt::beads(&context.town, &context.caller, &folder, options)?;
    if console.is_json() {
        return console
            .document(&json!({ "schema": "gt.import-beads/1", "dry_run": options.rehearse, "found": found }));
    }
    say_found(&found, options.rehearse, console)
}

fn say_found(found: &Found, dry_run: bool, console: &mut Console<'_>) -> CliResult {
    let would = if dry_run { "would be " } else { "" };
    for file in &found.files {
        let done = &file.imported;
        let prefixes: Vec<&str> = file.prefixes.iter().map(String::as_str).collect();
        console.line(&format!(
            "{}: {} beads ({})",
            file.path.display(),
            file.beads,
            printable(&prefixes.join(", "))
        ))?;
        console.line(&format!("  {would}added {}, updated {}, kept {}", done.added, done.updated, done.kept))?;
        for line in &done.bad_lines {
            console.line(&format!("  not taken: {}", printable(line)))?;
        }
        for line in &done.nul_lines {
            console.line(&sync::nul_line(&format!("  line {line}")))?;
        }
        bead::say_imported(done, console)?;
    }
    for rig in found.rigs.iter().filter(|rig| !rig.known) {
        let prefix = rig.prefix.as_deref().map(|prefix| format!(" --prefix {prefix}")).unwrap_or_default();
        let url = rig.url.as_deref().unwrap_or("<url>");
        console.line(&printable(&format!("rig {}: gt rig add {} {url}{prefix}", rig.name, rig.name)))?;
    }
    for note in &found.notes {
        console.line(&printable(note))?;
    }
    Ok(0)
}
