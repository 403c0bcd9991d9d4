//! Verbs for agents: hook, prime, steps, done.

use gt_ledger::MoleculeStep;
use gt_model::foreign;
use gt_model::moment::Source;
use gt_town::Error;
use gt_town::moments::nudge;
use gt_town::work::done::{self, Ending, Exit};
use gt_town::work::hook::{self, Hook};
use gt_town::work::prime::{self, Prime};
use gt_town::work::{beads, handoff};
use serde_json::{Value, json};

use crate::cli::{MolVerb, ParkStatus, StepVerb};
use crate::console::{Console, Table, printable};
use crate::context::{Context, text_or_stdin};
use crate::error::{CliError, CliResult};

/// Runs `gt hook`.
pub fn hook(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let hook = hook::hook(&context.town, &context.caller)?;
    if console.is_json() {
        return console.facts("gt.hook/1", "hook", hook.as_ref().map(hook_json));
    }
    match hook {
        None => console.line("your hook is empty: end your turn")?,
        Some(hook) => say_hook(&hook, console)?,
    }
    Ok(0)
}

fn hook_json(hook: &Hook) -> Value {
    json!({
        "bead": bead_json(hook),
        "attempt": hook.attempt,
        "incarnation": hook.incarnation,
        "step": hook.step.as_ref().map(|step| step_json(step, hook.steps)),
        "worktree": hook.worktree,
        "trunk_ref": hook.trunk_ref,
    })
}

fn bead_json(hook: &Hook) -> Value {
    json!({
        "id": hook.bead.id,
        "title": hook.bead.title,
        "description": hook.bead.description,
        "acceptance_criteria": hook.bead.acceptance_criteria,
        "priority": hook.bead.priority,
    })
}

fn step_json(step: &MoleculeStep, of: usize) -> Value {
    json!({
        "id": step.step.id,
        "title": step.step.title,
        "description": step.step.description,
        "position": step.position,
        "of": of,
    })
}

fn say_hook(hook: &Hook, console: &mut Console<'_>) -> Result<(), CliError> {
    let bead = &hook.bead;
    console.line(&format!("On your hook: {}  {}", bead.id, printable(&bead.title)))?;
    console.line(&format!("Branch: {}   Trunk: {}", hook.attempt.branch, hook.trunk_ref))?;
    match &hook.step {
        Some(step) => say_step(step, hook.steps, console),
        None => console.line("Every step is done: gt done"),
    }
}

fn say_step(step: &MoleculeStep, of: usize, console: &mut Console<'_>) -> Result<(), CliError> {
    let at = step.position + 1;
    console.line(&format!("Step {at} of {of}: {}  {}", step.step.id, printable(&step.step.title)))?;
    // The overseer wrote the formula, so it is not framed as data of others.
    console.line(foreign::lines(&step.step.description).trim())?;
    if !step.step.acceptance.is_empty() {
        let checks: Vec<String> = step.step.acceptance.iter().map(prime::check_text).collect();
        console.line(&format!("Checked when you say it is done: {}", checks.join(", ")))?;
    }
    if step.position as usize + 1 < of {
        console.line(&format!("When it is done: gt step done {}", step.step.id))?;
    }
    Ok(())
}

/// Runs `gt prime`.
pub fn prime(context: &Context<'_>, explain: bool, console: &mut Console<'_>) -> CliResult {
    let by = (!explain).then_some("prime");
    let prime = prime::gather(&context.town, &context.caller, Source::Fresh, by)?;
    if console.is_json() {
        let document = json!({
            "schema": "gt.prime/1",
            "address": prime.address,
            "role": prime.role,
            "rig": prime.address.rig(),
            "hook": prime.hook.as_ref().map(hook_json),
            "last_end": prime.last_end,
            "handoff": prime.handoff,
            "mail": prime.mail,
            "sections": prime.sections(),
        });
        return console.document(&document);
    }
    if explain {
        return explain_prime(&prime, console);
    }
    console.line(&prime.text())?;
    Ok(0)
}

fn explain_prime(prime: &Prime, console: &mut Console<'_>) -> CliResult {
    let mut table = Table::new(&["PART", "BYTES", "FROM"]);
    let sections = prime.sections();
    for section in &sections {
        table.row([section.name.to_owned(), section.text.len().to_string(), section.source.clone()]);
    }
    table.row(["all".to_owned(), prime.text().len().to_string(), format!("at most {}", prime::PRIME_BYTES)]);
    console.table(&table)?;
    Ok(0)
}

/// Runs `gt handoff`.
pub fn handoff(context: &Context<'_>, subject: &str, message: String, console: &mut Console<'_>) -> CliResult {
    let handed = handoff::handoff(&context.town, &context.caller, subject, &text_or_stdin(message)?)?;
    if console.is_json() {
        return console.facts("gt.handoff/1", "handed-off", handed);
    }
    console.line("Your successor gets that first. End your turn.")?;
    Ok(0)
}

/// Runs `gt nudge`.
pub fn nudge(context: &Context<'_>, address: &str, message: Option<String>, console: &mut Console<'_>) -> CliResult {
    let message = message.map(text_or_stdin).transpose()?;
    let nudged = nudge::nudge(&context.town, &context.caller, address, message.as_deref())?;
    if console.is_json() {
        return console.facts("gt.nudge/1", "nudged", nudged);
    }
    if let Some(mail) = &nudged.mail {
        console.say(&format!("sent {mail}"))?;
    }
    console.say(&match nudged.woken {
        true => format!("{} has heard", nudged.address),
        false => format!("{} is at work: nothing to wake; its mail reaches it as it works", nudged.address),
    })?;
    Ok(0)
}

/// Runs `gt step …`.
pub fn step(verb: &StepVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let StepVerb::Done { step, note } = verb;
    let done = hook::step_done(&context.town, &context.caller, step.as_deref(), note.as_deref())?;
    if console.is_json() {
        let next = done.next.as_ref().map(|next| step_json(next, done.of));
        let document = json!({ "schema": "gt.step-done/1", "closed": done.closed.step.id, "next": next });
        return console.document(&document);
    }
    console.say(&format!("step {} is done", done.closed.step.id))?;
    match &done.next {
        Some(next) => say_step(next, done.of, console)?,
        None => console.line("Every step is done: gt done")?,
    }
    Ok(0)
}

/// Runs `gt mol …`.
pub fn mol(verb: &MolVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let MolVerb::Status { bead } = verb;
    let town = &context.town;
    let attempt = match bead {
        Some(text) => town.ledger.read(|view| {
            let id = beads::resolve(view, text)?;
            let attempt = view.attempts_on(&id)?.pop();
            attempt.ok_or_else(|| Error::Unknown { what: "molecule of", name: id.0 })
        })?,
        None => match hook::hook(town, &context.caller)? {
            Some(hook) => hook.attempt,
            None => return Err(Error::Unknown { what: "molecule", name: "on your hook".to_owned() }.into()),
        },
    };
    let steps = town.ledger.read(|view| view.steps(attempt.id).map_err(Error::from))?;
    if console.is_json() {
        let document = json!({ "schema": "gt.molecule/1", "attempt": attempt, "steps": steps });
        return console.document(&document);
    }
    console.line(&format!("{} attempt {}: {}", attempt.bead, attempt.number, attempt.formula))?;
    let mut table = Table::new(&["STEP", "DONE", "TITLE"]);
    for step in steps {
        table.row([step.step.id, step.done_at.map(|at| at.to_string()).unwrap_or_default(), step.step.title]);
    }
    console.table(&table)?;
    Ok(0)
}

/// Runs `gt catch-up`.
pub fn catch_up(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let caught_up = gt_town::effects::catch_up::catch_up(&context.town, &context.caller)?;
    if console.is_json() {
        return console.facts("gt.caught-up/1", "caught_up", caught_up);
    }
    let trunk = caught_up.trunk.short();
    console.line(&match caught_up.way {
        None => format!("Your branch contains the trunk ({trunk}) already."),
        Some("merge") => {
            format!("Your branch has the trunk ({trunk}) merged in, since it has merge commits. Run the gates again.")
        }
        Some(way) => format!("Your branch is up to the trunk ({trunk}), by a {way}. Run the gates again."),
    })?;
    Ok(0)
}

/// Translates the flags of `gt done` into the way a worker ends.
pub fn exit(no_code: bool, landed_by: Option<&str>, status: Option<ParkStatus>) -> Exit {
    match status {
        Some(ParkStatus::Escalated) => Exit::Escalated,
        Some(ParkStatus::Deferred) => Exit::Deferred,
        None if no_code => Exit::NoCode,
        None if landed_by.is_some() => Exit::LandedBy,
        None => Exit::Completed,
    }
}

/// Runs `gt done`.
pub fn done(context: &Context<'_>, ending: &Ending<'_>, console: &mut Console<'_>) -> CliResult {
    let submitted = done::done(&context.town, &context.caller, ending)?;
    if console.is_json() {
        return console.facts("gt.done/1", "submitted", submitted);
    }
    let what = match (&submitted.mr, submitted.already) {
        (Some(mr), true) => format!("Already submitted as {mr}."),
        (Some(mr), false) => format!("Submitted as {mr}."),
        (None, _) => "Submitted.".to_owned(),
    };
    console.line(&format!("{what} End your turn."))?;
    Ok(0)
}
