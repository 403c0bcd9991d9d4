//! Projects of the town.

use gt_town::allow::Whom;
use gt_town::config::Whose;
use gt_town::ecosystems::Omitted;
use gt_town::gates::GatesRun;
use gt_town::reach::LeftOut;
use gt_town::rig::{self, Added, NewRig};
use gt_town::settings::Gate;
use gt_town::{destination, gates, hook};

use super::{Context, allow, config};
use crate::cli::{GatesVerb, RigVerb};
use crate::console::{Console, Table, printable};
use crate::error::{CliError, CliResult};

/// `gt rig …`.
pub fn run(verb: RigVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        RigVerb::Add { name, source, prefix, branch, make_bare_remote, land_on, skip_proof } => {
            let source = source_path(context, source);
            let new = NewRig { name, source, prefix, branch, make_bare_remote, land_on, skip_proof };
            add(context, &new, console)
        }
        RigVerb::List => list(context, console),
        RigVerb::Remove { name, yes, dry_run } => remove(context, &name, yes, dry_run, console),
        RigVerb::Set { name, settings } => {
            let rig = context.town.rig(&name)?;
            config::set(context, Whose::Rig(&rig), &config::pairs(&settings)?, console)
        }
        RigVerb::Allow { name, pattern, remove, .. } => {
            allow::run(context, Whom::Rig(&context.town.rig(&name)?), pattern, remove, console)
        }
        RigVerb::Gates(verb) => gates_verb(verb, context, console),
        RigVerb::Fetch { name } => fetch(context, name.as_deref(), console),
        RigVerb::Release { name } => release(context, &name, console),
    }
}

/// A path is taken from the working folder on; a URL stays as it is. A folder that is there is meant before a host.
fn source_path(context: &Context<'_>, source: String) -> String {
    let path = super::town::absolute(context.process, source.as_ref());
    if source.starts_with('-') || source.is_empty() || destination::is_url(&source) && !path.exists() {
        return source;
    }
    path.display().to_string()
}

fn add(context: &Context<'_>, new: &NewRig, console: &mut Console<'_>) -> CliResult {
    if !new.skip_proof {
        console.note("fetching, and running the gates that are found on the trunk …")?;
    }
    let added = rig::add(&context.town, &context.caller, new)?;
    if console.is_json() {
        return console.facts("gt.rig/1", "rig", added);
    }
    say_added(&added, console)?;
    Ok(0)
}

fn say_added(added: &Added, console: &mut Console<'_>) -> Result<(), CliError> {
    console.say(&format!("rig {} added; its beads are {}-…", added.name, added.prefix))?;
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
        console.say(&format!("  set-up of each worktree: {setup}"))?;
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
    if let Some(proof) = &added.proof {
        say_run(proof, console)?;
    }
    match &added.held {
        Some(why) => console.say(&format!("  held: {why}")),
        None => console.say("  what is green waits for your word (landing = \"ask\"): gt mq approve"),
    }
}

pub(super) fn say_run(run: &GatesRun, console: &mut Console<'_>) -> Result<(), CliError> {
    for gate in &run.gates {
        let word = if gate.passed { console.green("green") } else { console.red("red") };
        console.say(&format!("  {word} {} in {:.1} s", gate.name, gate.took_ms as f64 / 1000.0))?;
        if let Some(failure) = &gate.failure {
            console.say(&crate::console::printable_lines(failure))?;
            console.say(&format!("  all of it: {}", gate.log))?;
        }
    }
    Ok(())
}

fn list(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let status = gt_town::observe::status(&context.town)?;
    if console.is_json() {
        return console.facts("gt.rigs/1", "rigs", status.rigs);
    }
    let mut table = Table::new(&["RIG", "TRUNK", "LANDING", "GATES", "REMOTE"]);
    for rig in status.rigs {
        table.row([rig.name, rig.trunk, rig.landing, rig.gates.join(" "), rig.remote]);
    }
    console.table(&table)?;
    Ok(0)
}

fn remove(context: &Context<'_>, name: &str, yes: bool, dry_run: bool, console: &mut Console<'_>) -> CliResult {
    let rig = context.town.rig(name)?;
    if !yes && !dry_run {
        let hint = format!("gt rig remove {} --dry-run shows what would be done, --yes does it", rig.name());
        return Err(CliError::Usage { what: format!("removing the rig {} wants a --yes", rig.name()), hint });
    }
    let to = rig::remove(&context.town, &context.caller, &rig, dry_run)?;
    if console.is_json() {
        return console.facts("gt.rig-removed/1", "archive", to.display().to_string());
    }
    let word = if dry_run { "would go" } else { "went" };
    console.say(&format!("rig {} {word} to {}; its beads stay", rig.name(), to.display()))?;
    Ok(0)
}

fn fetch(context: &Context<'_>, name: Option<&str>, console: &mut Console<'_>) -> CliResult {
    let rig = context.rig(name)?;
    let trunk = hook::fetch(&context.town, &context.caller, &rig)?;
    if console.is_json() {
        return console.facts("gt.fetch/1", "trunk", trunk);
    }
    console.say(&format!("{}: {} is at {} ({})", rig.name(), rig.row.trunk, trunk.short(), rig.trunk_ref()))?;
    Ok(0)
}

fn release(context: &Context<'_>, name: &str, console: &mut Console<'_>) -> CliResult {
    let rig = context.town.rig(name)?;
    let run = rig::release(&context.town, &context.caller, &rig)?;
    let green = run.as_ref().is_none_or(GatesRun::passed);
    if console.is_json() {
        console.facts("gt.gates-run/1", "run", run)?;
    } else {
        if let Some(run) = &run {
            say_run(run, console)?;
        }
        console.say(&format!("rig {} is {}", rig.name(), if green { "released" } else { "still held" }))?;
    }
    Ok(if green { 0 } else { 1 })
}

fn gates_verb(verb: GatesVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        GatesVerb::List { rig } => {
            let rig = context.rig(rig.as_deref())?;
            if console.is_json() {
                return console.facts("gt.gates/1", "gates", rig.settings.gate);
            }
            let mut table = Table::new(&["GATE", "TIMEOUT", "COMMAND"]);
            for gate in rig.settings.gate {
                table.row([gate.name, format!("{} s", gate.timeout_seconds), gate.run]);
            }
            console.table(&table)?;
            Ok(0)
        }
        GatesVerb::Run { rig } => run_gates(context, rig.as_deref(), console),
        GatesVerb::Add { rig, name, run, timeout } => {
            let rig = context.town.rig(&rig)?;
            let gate = Gate { name, run, timeout_seconds: timeout };
            rig::add_gate(&context.town, &context.caller, &rig, &gate)?;
            console.say(&format!("gate {} added to {}", gate.name, rig.layout.settings().display()))?;
            Ok(0)
        }
        GatesVerb::Remove { rig, name } => {
            let rig = context.town.rig(&rig)?;
            rig::remove_gate(&context.town, &context.caller, &rig, &name)?;
            console.say(&format!("gate {name} removed from {}", rig.layout.settings().display()))?;
            Ok(0)
        }
    }
}

/// An agent's gates run in its own worktree, a person's on the trunk.
fn run_gates(context: &Context<'_>, rig: Option<&str>, console: &mut Console<'_>) -> CliResult {
    let rig = context.rig(rig)?;
    let run = match &context.caller.incarnation {
        Some(incarnation) => {
            let folder = match &context.caller.address {
                gt_model::address::Address::Polecat(_, name) => rig.layout.worktree(name),
                _ => context.process.cwd.clone(),
            };
            let logs = context.town.layout.session_logs(incarnation);
            gates::run_by_agent(&context.town, &rig, &folder, gates::Logs { folder: &logs, label: "gates" })?
        }
        None => rig::prove(&context.town, &context.caller, &rig)?,
    };
    let green = run.passed();
    if console.is_json() {
        console.facts("gt.gates-run/1", "run", run)?;
    } else {
        say_run(&run, console)?;
    }
    Ok(if green { 0 } else { 1 })
}
