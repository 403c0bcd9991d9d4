//! `gt sync`.

use clap::Args;
use gt_model::merge::Renamed;
use gt_town::sync::{self, Synced};

use crate::cli::Group;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Merge the ledger with that of other towns through a git remote
#[derive(Debug, Args)]
#[command(display_order = Group::Town.order())]
pub struct SyncArgs {
    /// The repository [default: `[sync] remote` in town.toml]
    #[arg(long, value_name = "URL")]
    remote: Option<String>,
    /// Only say what would change here
    #[arg(long)]
    dry_run: bool,
}

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
