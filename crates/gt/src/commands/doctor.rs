//! `gt doctor`.

use clap::Args;
use gt_town::effects;
use gt_town::keep::upkeep;
use gt_town::rigs::rig::{self, Negative, Proving, Repeated};
use gt_town::view::doctor;

use crate::Process;
use crate::cli::Group;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::progress::Ticker;
use crate::words::{self, Worded};

/// Check the town's health, and say how to repair what is wrong
#[derive(Debug, Args)]
#[command(display_order = Group::Start.order())]
pub struct DoctorArgs {
    /// Retry acts that the town gave up
    #[arg(long)]
    retry: bool,
    /// Repair damage in the rigs' repositories: settings, hooks, replaced commits
    #[arg(long)]
    fix: bool,
    /// Break files of each rig on purpose to see whether its gates turn red, even where that takes long
    #[arg(long)]
    deep: bool,
}

/// Runs `gt doctor`.
pub fn doctor(args: &DoctorArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let DoctorArgs { retry, fix, deep } = *args;
    if fix {
        for mended in upkeep::fix(&context.town, &context.caller)? {
            console.say(&format!("{}: mended {}", mended.rig, printable(&mended.what)))?;
        }
    }
    if retry {
        let count = effects::retry_given_up(&context.town, &context.caller)?;
        let starts = gt_town::patrol::retry::starts(&context.town, &context.caller)?;
        console.say(&format!("{count} acts will be tried again, {starts} workers started again"))?;
    }
    if context.caller.is_overseer() {
        break_again(context, deep, console)?;
    }
    let mut checks = doctor::doctor(&context.town)?;
    checks.push(path_check(context.process));
    // With `retry` the verb has done its task, even if checks report faults.
    let well = retry || checks.iter().all(|check| check.ok);
    if console.is_json() {
        console.facts("gt.doctor/1", "checks", checks.worded()?)?;
        return Ok(if well { 0 } else { 1 });
    }
    for check in &checks {
        let mark = match (check.ok, check.warn) {
            (true, false) => console.green("ok  "),
            (true, true) => "warn".to_owned(),
            (false, _) => console.red("FAIL"),
        };
        console.line(&format!("{mark}  {}: {}", check.name, printable(&check.detail)))?;
        if let Some(hint) = &check.hint {
            console.line(&format!("      hint: {}", words::hint(hint)))?;
        }
    }
    Ok(if well { 0 } else { 1 })
}

/// Repeats the negative proof of each rig where it is due, or of all rigs on request.
fn break_again(context: &Context<'_>, deep: bool, console: &mut Console<'_>) -> Result<(), CliError> {
    let negative = if deep { Negative::Always } else { Negative::WhereCheap };
    for rig in context.town.rigs()? {
        let progress = Ticker::new(context.process, console);
        let proving = Proving { progress: &progress, negative, optional: &[] };
        let repeated = rig::repeat(&context.town, &context.caller, &rig, &proving);
        drop(progress);
        let why = match repeated {
            Ok(Repeated::Done | Repeated::NotDue) => continue,
            Ok(Repeated::Busy) => "they run already".to_owned(),
            // The gates' own check reports why nothing can be proved now.
            Err(error) => error.to_string(),
        };
        console.note(&format!("{}: its gates were not tested: {why}", rig.name()))?;
    }
    Ok(())
}

/// Reports another `gt` or `bd` in the overseer's PATH. That is no fault, since agents get ours.
fn path_check(process: &Process) -> doctor::Check {
    let others: Vec<String> = super::install::others_in_path(process).iter().map(|p| p.display().to_string()).collect();
    let detail =
        if others.is_empty() { "no other gt or bd".to_owned() } else { format!("others: {}", others.join(", ")) };
    doctor::Check { name: "PATH".to_owned(), ok: true, warn: false, detail, hint: None }
}
