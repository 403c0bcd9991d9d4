//! Verbs for one ledger that several towns share.

use std::path::{Path, PathBuf};

use gt_model::merge::Renamed;
use gt_town::lifecycle::home;
use gt_town::sync::{self, Synced};
use gt_town::town::config::Whose;
use gt_town::town::person;
use serde_json::json;

use crate::Process;
use crate::cli::{SyncArgs, TownVerb};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Runs `gt sync`.
pub fn sync(args: &SyncArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let synced = sync::sync(&context.town, &context.caller, args.remote.as_deref(), args.dry_run)?;
    if console.is_json() {
        return console.facts("gt.sync/1", "sync", synced);
    }
    say_synced(&synced, console)?;
    Ok(0)
}

/// Describes the beads that have new ids, a line each.
pub fn renamed_lines(renamed: &[Renamed]) -> impl Iterator<Item = String> {
    renamed.iter().map(|Renamed { from, to, title }| {
        let (from, to, title) = (printable(from.as_str()), printable(to.as_str()), printable(title));
        format!("{to}  {title:?} has this id now: another bead, made before it elsewhere, has {from}")
    })
}

/// Describes a line that could not be read as it is.
pub fn nul_line(place: &str) -> String {
    format!("{}: a NUL character, which can't be kept, was read as U+FFFD", printable(place))
}

/// Maximum number of beads of a kind that are named.
const NAMED: usize = 10;

fn say_synced(synced: &Synced, console: &mut Console<'_>) -> Result<(), CliError> {
    let pulled = &synced.pulled;
    for (what, ids) in [
        ("new here", &pulled.added),
        ("changed here", &pulled.updated),
        ("parked here, since another town had it earlier; its branch is kept", &pulled.parked),
        ("worked on here, so what others say of it waits", &pulled.waiting),
    ] {
        for id in ids.iter().take(NAMED) {
            console.line(&format!("{id}  {what}"))?;
        }
        if ids.len() > NAMED {
            console.line(&format!("and {} more {what}", ids.len() - NAMED))?;
        }
    }
    for line in renamed_lines(&pulled.renamed) {
        console.line(&line)?;
    }
    for place in &pulled.nul_lines {
        console.line(&nul_line(place))?;
    }
    for loss in pulled.losses.iter().take(NAMED) {
        let [kept, lost] = [&loss.kept, &loss.lost].map(|text| printable(text.lines().next().unwrap_or_default()));
        console.line(&format!("{}  {}: {kept:?} holds, {lost:?} does not", loss.bead, printable(&loss.key)))?;
    }
    if pulled.losses.len() > NAMED {
        console.line(&format!("and {} more; gt log <bead> has them all", pulled.losses.len() - NAMED))?;
    }
    let (remote, sent) = (printable(&synced.remote), synced.sent);
    console.say(&match &synced.commit {
        Some(commit) => format!("synced with {remote} at {}; {sent} beads sent", commit.short()),
        None => format!("nothing was changed; {sent} beads would be sent to {remote}"),
    })
}

/// Runs `gt town key`.
fn key(file: &Path, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let file = person::make_key(&context.town, &context.caller, &crate::context::absolute(context.process, file))?;
    if console.is_json() {
        return console.facts("gt.key/1", "file", file.display().to_string());
    }
    console
        .say(&format!("the overseer's key is in {}; sandboxes that are made from now on hide it", file.display()))?;
    console.say(
        "without a sandbox, agents can read all that you can: then keep it elsewhere, and name it when it is needed:",
    )?;
    console.say(&format!("  {}=<file> gt mq approve <merge request>", person::KEY_FILE_VARIABLE))?;
    Ok(0)
}

/// Runs `gt town`.
pub fn town(verb: &TownVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        TownVerb::Key { file } => key(file, context, console),
        TownVerb::Set { settings } => {
            super::config::set(context, Whose::Town, &super::config::pairs(settings)?, console)
        }
        TownVerb::Adopt => adopt(context, console),
    }
}

/// Runs `gt town adopt`.
fn adopt(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let adopted = home::adopt(&context.town, &context.caller)?;
    if console.is_json() {
        return console.facts("gt.adopt/1", "adopted", adopted);
    }
    for branch in &adopted.released {
        console.say(&format!("let go of {}; the branch is kept", printable(branch)))?;
    }
    let what = if adopted.moved { "moved here from" } else { "a town of its own now, copied from" };
    console.say(&format!("{what} {}; nothing begins until: gt resume", printable(&adopted.from)))?;
    Ok(0)
}

/// Runs `gt ledger merge-driver`.
pub fn merge_driver(files: [&PathBuf; 3], process: &Process, console: &mut Console<'_>) -> CliResult {
    let [base, ours, theirs] = files.map(|file| process.cwd.join(file));
    let merged = sync::merge_files(process.outside.world.as_ref(), &base, &ours, &theirs)?;
    if console.is_json() {
        let (losses, renamed, nul_lines) = (merged.losses, merged.renamed, merged.nul_lines);
        let document = json!({ "schema": "gt.merge/1", "losses": losses, "renamed": renamed, "nul_lines": nul_lines });
        return console.document(&document);
    }
    for line in renamed_lines(&merged.renamed) {
        console.note(&line)?;
    }
    for line in &merged.nul_lines {
        console.note(&nul_line(line))?;
    }
    for loss in merged.losses {
        let [kept, lost] = [&loss.kept, &loss.lost].map(|text| printable(text.lines().next().unwrap_or_default()));
        console.note(&format!("{}  {}: {kept:?} holds, {lost:?} does not", loss.bead, printable(&loss.key)))?;
    }
    Ok(0)
}
