//! Verbs for the merge queue, and for running the patrols by hand.

use gt_model::id::MrId;
use gt_model::queue::MrStatus;
use gt_town::Error;
use gt_town::effects;
use gt_town::effects::Scope;
use gt_town::patrol::witness;
use gt_town::patrol::witness::Watch;
use gt_town::refinery;
use gt_town::refinery::clean_run;
use gt_town::refinery::queue::{self, QueueItem};
use gt_town::refinery::review as engine;
use gt_town::town::observed::Observed;
use gt_town::town::person;

use super::review;
use crate::cli::{MqVerb, RefineryVerb, WitnessVerb};
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Runs `gt mq …`.
pub fn mq(verb: MqVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        MqVerb::List { rig, all } => list(context, rig.as_deref(), all, console),
        MqVerb::Show { id } => review::show(context, &id, console),
        MqVerb::Diff { id, stat } => review::diff(context, &id, stat, console),
        MqVerb::Log { id, follow } => review::log(context, &id, follow, console),
        MqVerb::Checkout { id, folder, remove } => review::checkout(context, &id, folder.as_deref(), remove, console),
        MqVerb::Approve { ids, all } => approve(context, &ids, all, console),
        MqVerb::Reject { id, note } => review::reject(context, &id, note, console),
        MqVerb::Hold { ids, note } => review::hold(context, &ids, &note, console),
        MqVerb::Retry { ids } => review::retry(context, &ids, console),
        MqVerb::Landed { id, not: true, .. } => review::not_landed(context, &id, console),
        MqVerb::Landed { id, by, .. } => review::landed(context, &id, by.as_deref(), console),
        MqVerb::Cancel { ids, note } => review::cancel(context, &ids, &note, console),
    }
}

fn items(context: &Context<'_>, rig: Option<&str>, all: bool) -> Result<Vec<QueueItem>, CliError> {
    let rigs = context.town.rigs()?;
    let only = rig.map(|name| context.town.rig(name)).transpose()?;
    Ok(context.town.ledger.read(|view| queue::items(&context.town, view, &rigs, only.as_ref(), all))?)
}

fn list(context: &Context<'_>, rig: Option<&str>, all: bool, console: &mut Console<'_>) -> CliResult {
    let items = items(context, rig, all)?;
    if console.is_json() {
        return console.facts("gt.queue/1", "merge_requests", items);
    }
    let mut table = Table::new(&["MERGE REQUEST", "BEAD", "RIG", "STATUS", "HEAD"]);
    for item in items {
        let head = item.mr.head.short().to_owned();
        let status = item_text(&item);
        table.row([item.mr.id.0, item.mr.bead.0, item.mr.rig.to_string(), status, head]);
    }
    console.table(&table)?;
    Ok(0)
}

/// Describes the status of a merge request, and what its gates are doing.
pub fn item_text(item: &QueueItem) -> String {
    match (&item.status, &item.gating) {
        (MrStatus::Waiting, Some(running)) => running.words(&item.mr.id),
        (status, _) => status_text(status),
    }
}

/// Describes a status in words.
pub fn status_text(status: &MrStatus) -> String {
    match status {
        MrStatus::Waiting => "waiting".to_owned(),
        MrStatus::NeedsApproval => "green, needs approval".to_owned(),
        MrStatus::Held(why) => format!("held: {why}"),
        MrStatus::Empty(why) => format!("empty: {why}"),
        MrStatus::MaybeLanded(why) => format!("maybe landed: {why}"),
        MrStatus::Landing => "landing".to_owned(),
        MrStatus::Ended(end) => end.as_str().to_owned(),
    }
}

fn approve(context: &Context<'_>, ids: &[String], all: bool, console: &mut Console<'_>) -> CliResult {
    let ids: Vec<MrId> = if all {
        items(context, None, false)?
            .into_iter()
            .filter(|item| item.status == MrStatus::NeedsApproval)
            .map(|item| item.mr.id)
            .collect()
    } else {
        ids.iter().map(|text| Ok(engine::find(&context.town, text)?.id)).collect::<Result<_, CliError>>()?
    };
    let approved = refinery::approve(&context.town, &context.caller, &ids)?;
    if console.is_json() {
        return console.facts("gt.approved/1", "approved", ids);
    }
    for mr in &approved {
        console.say(&format!("approved {}: it lands with the next round", mr.id))?;
    }
    if approved.is_empty() {
        console.say("nothing waits for approval")?;
    } else if !context.town.deacon_runs()? {
        console.say("no deacon runs: gt up, or gt refinery run --once")?;
    } else if let Some(rig) = approved.first().map(|mr| mr.rig.to_string()) {
        console.say(&format!("to land green work without asking: gt rig set {rig} landing=auto"))?;
    }
    Ok(0)
}

/// Runs `gt refinery …`.
pub fn refinery(verb: &RefineryVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        RefineryVerb::Run { rig, .. } => run_once(rig.as_deref(), context, console),
        RefineryVerb::Confirm { rig } => confirm(rig.as_deref(), context, console),
    }
}

/// Runs `gt refinery confirm`.
fn confirm(rig: Option<&str>, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = context.rig(rig)?;
    let run = clean_run::by_hand(&context.town, &context.caller, &rig)?;
    let green = run.passed();
    if console.is_json() {
        console.facts("gt.gates-run/1", "run", run)?;
    } else {
        super::rig::say_run(&run, console)?;
        let word = if green { "is green" } else { "is red" };
        console.say(&format!("{}: the trunk {word} in a clean worktree", rig.name()))?;
    }
    Ok(if green { 0 } else { 1 })
}

/// Runs `gt refinery run --once`.
fn run_once(rig: Option<&str>, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, rig) = (&context.town, context.rig(rig)?);
    refinery::forget_failures(town, &context.caller, &rig)?;
    let mut observed = Observed::impatient();
    effects::run_all(town, Scope::All, &mut observed)?;
    let busy = || Error::refused(format!("the refinery of {} is at work already", rig.name()), "gt mq list");
    let round = refinery::run_round(town, &rig)?.ok_or_else(busy)?;
    effects::run_all(town, Scope::All, &mut observed)?;
    if console.is_json() {
        return console.facts("gt.round/1", "round", round);
    }
    for (word, ids) in [
        ("landed", &round.landed),
        ("sent back", &round.reworked),
        ("green, needs approval", &round.gated),
        ("nothing of its own to land, needs you", &round.doubted),
    ] {
        for id in ids {
            console.say(&format!("{id}: {word}"))?;
        }
    }
    if let Some(why) = &round.stopped {
        console.say(&format!("stopped: {why}"))?;
    } else if !round.changed() {
        console.say("nothing to do")?;
    }
    Ok(0)
}

/// Runs `gt witness run --once`.
pub fn witness(verb: &WitnessVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let WitnessVerb::Run { rig, .. } = verb;
    let (town, rig) = (&context.town, context.rig(rig.as_deref())?);
    person::require_or(&context.caller, "runs patrols", refinery::PATROLS)?;
    let mut observed = Observed::impatient();
    let findings = witness::patrol(town, &rig, &mut Watch::default(), &mut observed)?;
    effects::run_all(town, Scope::All, &mut observed)?;
    if console.is_json() {
        return console.facts("gt.patrol/1", "findings", findings);
    }
    let mut table = Table::new(&["WORKER", "BEAD", "VERDICT"]);
    for finding in findings {
        table.row([finding.worker.to_string(), finding.bead.0, finding.verdict.text()]);
    }
    console.table(&table)?;
    Ok(0)
}
