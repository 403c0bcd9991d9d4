//! `gt rig add`.

use clap::Args;
use gt_town::ecosystems::Omitted;
use gt_town::rigs::destination;
use gt_town::rigs::rig::{self, Added, NewRig, Proving};
use gt_town::walls::reach::LeftOut;

use super::gates::run::say_run;
use super::says_yes;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::progress::Ticker;

/// Add a project: find its remote, trunk and gates, and prove that the gates pass
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Its name in the town
    name: String,
    /// URL or path of its repository
    source: String,
    /// Prefix of its beads' ids [default: derived from the name]
    #[arg(long)]
    prefix: Option<String>,
    /// The trunk [default: the remote's default branch]
    #[arg(long)]
    branch: Option<String>,
    /// For a folder without a remote: create a bare copy beside it, which becomes its origin
    #[arg(long, conflicts_with = "land_on")]
    make_bare_remote: bool,
    /// Land on this branch instead of the checked-out one; it is created if it is missing
    #[arg(long, value_name = "BRANCH", conflicts_with = "branch")]
    land_on: Option<String>,
    /// Do not run the gates on the trunk now
    #[arg(long)]
    skip_proof: bool,
    /// Only show what would be found and run
    #[arg(long, conflicts_with_all = ["make_bare_remote", "skip_proof"])]
    dry_run: bool,
    /// Run the commands that are found without asking, even for a URL, whose repository may be anyone's
    #[arg(long)]
    yes: bool,
}

/// Runs `gt rig add`.
pub fn add(args: &AddArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let AddArgs { name, source, prefix, branch, make_bare_remote, land_on, skip_proof, dry_run, yes } = args;
    let new = NewRig {
        name: name.clone(),
        source: source_path(context, source.clone()),
        prefix: prefix.clone(),
        branch: branch.clone(),
        make_bare_remote: *make_bare_remote,
        land_on: land_on.clone(),
        skip_proof: *skip_proof,
        leave_unproved: true,
        dry_run: *dry_run,
    };
    add_new(context, &new, *yes, console)
}

/// Resolves a path from the working folder; keeps a URL as it is. An existing folder takes precedence over a host.
fn source_path(context: &Context<'_>, source: String) -> String {
    let path = crate::context::absolute(context.process, source.as_ref());
    if source.starts_with('-') || source.is_empty() || destination::is_url(&source) && !path.exists() {
        return source;
    }
    path.display().to_string()
}

fn add_new(context: &Context<'_>, new: &NewRig, yes: bool, console: &mut Console<'_>) -> CliResult {
    console.note("fetching, and looking for its tests …")?;
    let mut added =
        Ticker::during("the fetch", context.process, console, || rig::add(&context.town, &context.caller, new))?;
    if !console.is_json() {
        say_added(&added, new.dry_run, console)?;
    }
    let has_proof = !new.dry_run && !new.skip_proof && !added.gates.is_empty();
    if has_proof && may_run(context, new, &added, yes, console)? {
        let rig = context.town.rig(added.name.as_str())?;
        let optional: Vec<String> =
            added.gates.iter().filter(|found| found.optional).map(|found| found.gate.name.clone()).collect();
        let progress = Ticker::new(context.process, console);
        let proving = Proving { progress: &progress, optional: &optional, ..Proving::default() };
        added.proof = rig::prove_added(&context.town, &context.caller, &rig, &proving)?;
        drop(progress);
        added.held = rig::why_is_held(&context.town, &rig)?;
        if let Some(left_out) = added.proof.as_ref().map(|run| &run.left_out) {
            added.gates.retain(|found| !left_out.iter().any(|gate| gate.name == found.gate.name));
        }
        context.town.wake();
    }
    if console.is_json() {
        return console.facts("gt.rig/1", "rig", added);
    }
    if let Some(proof) = &added.proof {
        say_run(proof, console)?;
    }
    match &added.held {
        _ if new.dry_run => console.say("  nothing was made or run")?,
        Some(why) => console.say(&format!("  held: {why}"))?,
        None => console.say("  what is green waits for your word (landing = \"ask\"): gt mq approve")?,
    }
    Ok(0)
}

/// Whether the detected commands may run. Where the repository is not the person's own, the person decides, after seeing the
/// commands on the screen.
fn may_run(
    context: &Context<'_>,
    new: &NewRig,
    added: &Added,
    yes: bool,
    console: &mut Console<'_>,
) -> Result<bool, CliError> {
    let is_own = !destination::is_url(&new.source);
    if is_own || yes {
        return Ok(true);
    }
    let question = "this repository was given by a URL: run its set-up and gates, as shown, on this machine? [y/N] ";
    let answer = says_yes(context, question, console);
    if answer == Ok(true) {
        return Ok(true);
    }
    let why = answer.err().map(|why| format!(" ({why})")).unwrap_or_default();
    console.note(&format!("nothing of it was run{why}; gt rig prove {} runs what is shown above", added.name))?;
    Ok(false)
}

fn say_added(added: &Added, dry_run: bool, console: &mut Console<'_>) -> Result<(), CliError> {
    let word = if dry_run { "would be added; its beads would be" } else { "added; its beads are" };
    console.say(&format!("rig {} {word} {}-…", added.name, added.prefix))?;
    for note in added.remote_note.iter().chain(&added.warnings) {
        console.say(&format!("  {note}"))?;
    }
    console.say(&format!("  work lands on {} of {}", added.trunk, added.remote))?;
    for found in &added.gates {
        console.say(&format!(
            "  gate {}: {}  ({})",
            found.gate.name,
            printable(&found.gate.run),
            printable(&found.from)
        ))?;
    }
    if let Some(setup) = &added.worktree.setup {
        console.say(&format!("  set-up of each worktree: {}", printable(setup)))?;
    }
    let copied: Vec<&str> = added.worktree.copy.iter().chain(&added.worktree.clone).map(String::as_str).collect();
    if !copied.is_empty() {
        console.say(&format!("  copied into each worktree from your checkout: {}", copied.join(", ")))?;
    }
    for omitted in &added.omitted {
        let Omitted { run, from, why } = omitted;
        console.say(&format!("  left out: {} ({}): {why}", printable(run), printable(from)))?;
    }
    for note in &added.notes {
        console.say(&format!("  {}", printable(note)))?;
    }
    if let Some(out) = LeftOut::words(&added.left_out) {
        console.say(&format!("  {out}"))?;
    }
    for leads in &added.leads_out {
        console.say(&format!("  a gate may test another tree: {leads}"))?;
    }
    Ok(())
}
