//! `gt rig prove`.

use std::collections::BTreeSet;

use clap::Args;
use gt_town::Rig;
use gt_town::rigs::gates::GatesRun;
use gt_town::rigs::rig::{self, Fixed, Negative, Proving};
use gt_town::town::config::Whose;

use super::gates::run::say_run;
use super::says_yes;
use crate::commands::up::warn_of_missing_programs;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::progress::Ticker;

/// Run set-up and all gates on the trunk, and explain what is red
///
/// Then files that the tests use are broken on purpose, one after the other, in the gates' own worktree: a gate must turn red. By
/// default this is done where the gates take less than half a minute.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// The rig [default: the one you are in, or the only one]
    name: Option<String>,
    /// If a gate is red: take what the trunk and this shell have now, ask for the variables that gates name, and try again
    #[arg(long)]
    fix: bool,
    /// Break files, however long the gates take
    #[arg(long)]
    negative: bool,
}

/// Runs `gt rig prove`.
pub fn prove(args: &ProveArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let ProveArgs { name, fix, negative } = args;
    let rig = context.rig(name.as_deref())?;
    let (town, caller) = (&context.town, &context.caller);
    if let Some(setup) = &rig.settings.worktree.setup {
        console.note(&format!("set-up: {}", printable(setup)))?;
    }
    for gate in &rig.settings.gate {
        console.note(&format!("gate {}: {}", gate.name, printable(&gate.run)))?;
    }
    let progress = Ticker::new(context.process, console);
    let negative = if *negative { Negative::Always } else { Negative::WhereCheap };
    let proving = Proving { progress: &progress, negative, optional: &[] };
    let Fixed { run, changed, path } = if *fix {
        let mut fixed = rig::fix(town, caller, &rig, &proving)?;
        if fixed.path.is_some() {
            warn_of_missing_programs(context, console)?;
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
