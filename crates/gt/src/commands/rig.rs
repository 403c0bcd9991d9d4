//! Verbs for the town's projects.

use std::collections::BTreeSet;

use gt_town::Rig;
use gt_town::ecosystems::Omitted;
use gt_town::moments::allow::Whom;
use gt_town::rigs::gates::{GateRun, GatesRun};
use gt_town::rigs::rig::{self, Added, Fixed, Negative, NewRig, Proving};
use gt_town::rigs::{destination, envrc, gates};
use gt_town::town::config::Whose;
use gt_town::town::identity;
use gt_town::town::settings::Gate;
use gt_town::walls::direnv::File;
use gt_town::walls::reach::LeftOut;
use gt_town::work::worker_gates;

use super::allow;
use super::config;
use crate::cli::{GatesVerb, RigVerb};
use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::progress::Ticker;

/// Runs `gt rig …`.
pub fn run(verb: RigVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        RigVerb::Add { name, source, prefix, branch, make_bare_remote, land_on, skip_proof, dry_run, yes } => {
            let source = source_path(context, source);
            let leave_unproved = true;
            let new =
                NewRig { name, source, prefix, branch, make_bare_remote, land_on, skip_proof, leave_unproved, dry_run };
            add(context, &new, yes, console)
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
        RigVerb::AllowEnvrc { name, yes, remove } => allow_envrc(context, &name, yes, remove, console),
        RigVerb::Gates(verb) => gates_verb(verb, context, console),
        RigVerb::Fetch { name } => fetch(context, name.as_deref(), console),
        RigVerb::Prove { name, fix, negative } => prove(context, name.as_deref(), fix, negative, console),
        RigVerb::Release { name } => release(context, &name, console),
    }
}

/// Resolves a path from the working folder; keeps a URL as it is. An existing folder takes precedence over a host.
fn source_path(context: &Context<'_>, source: String) -> String {
    let path = crate::context::absolute(context.process, source.as_ref());
    if source.starts_with('-') || source.is_empty() || destination::is_url(&source) && !path.exists() {
        return source;
    }
    path.display().to_string()
}

fn add(context: &Context<'_>, new: &NewRig, yes: bool, console: &mut Console<'_>) -> CliResult {
    console.note("fetching, and looking at what it is tested with …")?;
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

/// Shows the trunk's `.envrc`, then what it loads, and pins what the person allows.
fn allow_envrc(context: &Context<'_>, name: &str, yes: bool, remove: bool, console: &mut Console<'_>) -> CliResult {
    let (town, caller, rig) = (&context.town, &context.caller, context.town.rig(name)?);
    let mut allowed = Vec::new();
    if !remove {
        let seen = envrc::look(town, caller, &rig)?;
        if !may_load(context, std::slice::from_ref(&seen), &format!("load this .envrc for {name}?"), yes, console)? {
            return Ok(1);
        }
        console.note("direnv loads it once, on the trunk …")?;
        allowed = envrc::watched(town, caller, &rig, &seen)?;
        let others: Vec<File> = allowed.iter().filter(|file| file.text.is_some() && **file != seen).cloned().collect();
        if !others.is_empty() && !may_load(context, &others, "it loads these, too. All right?", yes, console)? {
            return Ok(1);
        }
    }
    envrc::allow(town, caller, &rig, &allowed)?;
    if console.is_json() {
        return console.facts("gt.envrc/1", "allowed", allowed);
    }
    let with_text = allowed.iter().filter(|file| file.text.is_some()).map(|file| printable(&file.path));
    let files = with_text.collect::<Vec<_>>().join(", ");
    console.say(&match remove {
        true => format!("{name}: its .envrc is not loaded any more, by what starts from now on"),
        false => format!("{name}: direnv loads {files} for set-up, gates and sessions from now on, as it is now"),
    })?;
    Ok(0)
}

/// Shows files, and asks whether the person allows them.
fn may_load(
    context: &Context<'_>,
    files: &[File],
    question: &str,
    yes: bool,
    console: &mut Console<'_>,
) -> Result<bool, CliError> {
    if !console.is_json() {
        for file in files {
            console.say(&format!("{}:", printable(&file.path)))?;
            console.say(&crate::console::printable_lines(file.text.as_deref().unwrap_or_default()))?;
        }
    }
    let answer = if yes { Ok(true) } else { says_yes(context, &format!("{question} [y/N] "), console) };
    if answer != Ok(true) {
        let why = answer.clone().err().map(|why| format!(" ({why})")).unwrap_or_default();
        console.note(&format!("nothing was allowed{why}; --yes allows what is shown"))?;
    }
    Ok(answer == Ok(true))
}

/// Asks a person on a terminal for a yes. The error says why no person could be asked.
fn says_yes(context: &Context<'_>, question: &str, console: &Console<'_>) -> Result<bool, String> {
    if console.is_json() {
        return Err("--json asks nothing".to_owned());
    }
    let answer = context.town.world().sessions().ask_person(question)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
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

pub fn say_run(run: &GatesRun, console: &mut Console<'_>) -> Result<(), CliError> {
    if let Some(known) = run.known {
        console.say(&format!("  {}: {} (--again runs them)", console.green("green"), known.words()))?;
    }
    for gate in &run.gates {
        say_gate(gate, console)?;
    }
    for gate in &run.left_out {
        say_gate(gate, console)?;
        let what = "is red on the trunk, and no test: it was left out of rig.toml, where a comment keeps it";
        console.say(&format!("  gate {} {what}", gate.name))?;
    }
    for broken in &run.broken {
        match &broken.red {
            Some(gate) => console.say(&format!("  {gate} turned red when {} was broken", printable(&broken.file)))?,
            None => {
                let word = console.red("no gate turned red");
                console.say(&format!("  {word} when {} was broken", printable(&broken.file)))?;
            }
        }
    }
    Ok(())
}

fn say_gate(gate: &GateRun, console: &mut Console<'_>) -> Result<(), CliError> {
    let word = if gate.passed { console.green("green") } else { console.red("red") };
    console.say(&format!("  {word} {} in {:.1} s", gate.name, gate.took_ms as f64 / 1000.0))?;
    if let Some(failure) = &gate.failure {
        console.say(&crate::console::printable_lines(failure))?;
        console.say(&format!("  all of it: {}", gate.log))?;
    }
    if let Some(remedy) = &gate.remedy {
        console.say(&format!("  likely: {}", printable(&remedy.text)))?;
    }
    Ok(())
}

fn prove(context: &Context<'_>, name: Option<&str>, fix: bool, negative: bool, console: &mut Console<'_>) -> CliResult {
    let rig = context.rig(name)?;
    let (town, caller) = (&context.town, &context.caller);
    if let Some(setup) = &rig.settings.worktree.setup {
        console.note(&format!("set-up: {}", printable(setup)))?;
    }
    for gate in &rig.settings.gate {
        console.note(&format!("gate {}: {}", gate.name, printable(&gate.run)))?;
    }
    let progress = Ticker::new(context.process, console);
    let negative = if negative { Negative::Always } else { Negative::WhereCheap };
    let proving = Proving { progress: &progress, negative, optional: &[] };
    let Fixed { run, changed, path } = if fix {
        let mut fixed = rig::fix(town, caller, &rig, &proving)?;
        if fixed.path.is_some() {
            super::town::warn_of_missing_programs(context, console)?;
        }
        fixed.run = offer_variables(context, &rig, fixed.run, &proving, console)?;
        fixed
    } else {
        Fixed { run: rig::prove_as(town, caller, &rig, &proving)?, changed: Vec::new(), path: None }
    };
    drop(progress);
    town.wake();
    let held = rig::why_is_held(town, &rig)?;
    let well = run.passed() && (negative == Negative::WhereCheap || run.blind_to().is_none());
    if console.is_json() {
        let document = serde_json::json!({ "schema": "gt.rig-proof/1", "run": run, "changed": changed, "path": path, "held": held });
        console.document(&document)?;
        return Ok(if well { 0 } else { 1 });
    }
    if let Some(path) = path {
        console.say(&format!("  the PATH of agents and gates is that of this shell now: {}", printable(&path)))?;
    }
    for change in &changed {
        console.say(&format!("  changed in rig.toml: {}", printable(change)))?;
    }
    say_run(&run, console)?;
    if negative == Negative::Always && run.passed() && run.broken.is_empty() {
        console.say("  no file is known that the tests surely use, so none was broken")?;
    }
    match held {
        Some(why) => console.say(&format!("rig {} is held: {}", rig.name(), printable(&why)))?,
        None => console.say(&format!("rig {} is proved", rig.name()))?,
    }
    Ok(if well { 0 } else { 1 })
}

/// Asks, for each of the person's variables that a red gate names, whether this rig may have it, and then proves the rig again.
/// A value may be a secret: without the person's yes gt does not pass it on, and prints the command that does so.
fn offer_variables(
    context: &Context<'_>,
    rig: &Rig,
    mut run: GatesRun,
    proving: &Proving<'_>,
    console: &mut Console<'_>,
) -> Result<GatesRun, CliError> {
    let mut asked = BTreeSet::new();
    loop {
        let named = run.gates.iter().filter_map(|gate| gate.remedy.as_ref()?.variable.clone());
        let Some(variable) = named.into_iter().find(|name| !asked.contains(name)) else { return Ok(run) };
        asked.insert(variable.clone());
        let rig = context.town.rig(rig.name().as_str())?;
        let mut pass = rig.settings.env.pass.clone();
        pass.push(variable.clone());
        let pass = pass.join(",");
        let question = format!(
            "a gate of {} names {variable}, which you have and it does not get. Pass it on? Agents can read it then. [y/N] ",
            rig.name()
        );
        if says_yes(context, &question, console) == Ok(true) {
            let pairs = [("env.pass".to_owned(), pass)];
            gt_town::town::config::set(&context.town, &context.caller, Whose::Rig(&rig), &pairs)?;
            let rig = context.town.rig(rig.name().as_str())?;
            run = rig::prove_as(&context.town, &context.caller, &rig, proving)?;
        } else {
            let what = format!("{variable} is not passed on, since agents could read it; this does so:");
            console.note(&format!("{what} gt rig set {} env.pass={pass}", rig.name()))?;
        }
    }
}

fn list(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let status = gt_town::view::observe::status(&context.town)?;
    if console.is_json() {
        return console.facts("gt.rigs/1", "rigs", status.rigs);
    }
    let mut table = Table::new(&["RIG", "TRUNK", "LANDING", "GATES", "REMOTE"]);
    for rig in status.rigs {
        table.row([rig.name, rig.trunk, rig.landing, rig.gates.join(" "), rig.remote]);
    }
    console.table(&table)?;
    for rig in context.town.rigs()? {
        if let Some(why) = rig::why_is_held(&context.town, &rig)? {
            console.note(&format!("{} is held: {}", rig.name(), printable(&why)))?;
        }
    }
    for name in rig::unfinished(&context.town)? {
        console.note(&format!(
            "gt rig add {name} was cut short before the rig was there: type it again, it begins anew"
        ))?;
    }
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
    let trunk = gt_town::effects::fetch(&context.town, &context.caller, &rig)?;
    if console.is_json() {
        return console.facts("gt.fetch/1", "trunk", trunk);
    }
    console.say(&format!("{}: {} is at {} ({})", rig.name(), rig.row.trunk, trunk.short(), rig.trunk_ref()))?;
    Ok(0)
}

fn release(context: &Context<'_>, name: &str, console: &mut Console<'_>) -> CliResult {
    let rig = context.town.rig(name)?;
    let progress = Ticker::new(context.process, console);
    let proving = Proving { progress: &progress, ..Proving::default() };
    let run = rig::release_as(&context.town, &context.caller, &rig, &proving)?;
    drop(progress);
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
        GatesVerb::Run { rig, again } => run_gates(context, rig.as_deref(), again, console),
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

/// Runs gates: an agent's in its own worktree, a person's on the trunk.
fn run_gates(context: &Context<'_>, rig: Option<&str>, again: bool, console: &mut Console<'_>) -> CliResult {
    let rig = context.rig(rig)?;
    let run = match &context.caller.incarnation {
        Some(incarnation) => {
            let logs = context.town.layout.session_logs(incarnation);
            let logs = gates::Logs { folder: &logs, label: "gates" };
            match context.town.ledger.read(|view| identity::hooked_attempt(view, &context.caller)) {
                Ok(attempt) if attempt.rig == *rig.name() => {
                    worker_gates::run(&context.town, &rig, &attempt, logs, again)?
                }
                _ => {
                    let folder = match &context.caller.address {
                        gt_model::address::Address::Polecat(_, name) => rig.layout.worktree(name),
                        _ => context.process.cwd.clone(),
                    };
                    gates::run_by_agent(&context.town, &rig, &folder, logs)?
                }
            }
        }
        None => {
            let progress = Ticker::new(context.process, console);
            let proving = Proving { progress: &progress, ..Proving::default() };
            rig::prove_as(&context.town, &context.caller, &rig, &proving)?
        }
    };
    let green = run.passed();
    if console.is_json() {
        console.facts("gt.gates-run/1", "run", run)?;
    } else {
        say_run(&run, console)?;
    }
    Ok(if green { 0 } else { 1 })
}
