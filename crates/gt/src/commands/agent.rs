//! Verbs of agents: hook, prime, steps, done.

use gt_model::formula::Acceptance;
use gt_town::done::{self, Exit};
use gt_town::hook::{self, Hook, Prime};
use gt_town::ledger::MoleculeStep;
use gt_town::{Error, beads};
use serde_json::{Value, json};

use super::Context;
use crate::cli::{MolVerb, ParkStatus, StepVerb};
use crate::console::{Console, Table, printable, printable_lines};
use crate::error::{CliError, CliResult};

/// Bytes of one mail's body that `gt prime` shows.
const MAIL_SHOWN_BYTES: usize = 1000;

/// Mails that `gt prime` shows.
const MAILS_SHOWN: usize = 5;

/// `gt hook`.
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
    console.line(printable_lines(&step.step.description).trim())?;
    if !step.step.acceptance.is_empty() {
        let checks: Vec<String> = step.step.acceptance.iter().map(describe).collect();
        console.line(&format!("Checked when you say it is done: {}", checks.join(", ")))?;
    }
    if step.position as usize + 1 < of {
        console.line(&format!("When it is done: gt step done {}", step.step.id))?;
    }
    Ok(())
}

fn describe(check: &Acceptance) -> String {
    match check {
        Acceptance::OwnBranch => "you are on your own branch".to_owned(),
        Acceptance::Clean => "everything is committed".to_owned(),
        Acceptance::Commits => "the branch has commits".to_owned(),
        Acceptance::Gates => "the gates are green".to_owned(),
        Acceptance::Rebased => "the branch contains the trunk".to_owned(),
        Acceptance::Command(argv) => format!("`{}`", argv.join(" ")),
    }
}

/// `gt prime`.
pub fn prime(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let prime = hook::prime(&context.town, &context.caller)?;
    if console.is_json() {
        let document = json!({
            "schema": "gt.prime/1",
            "address": prime.address,
            "rig": prime.rig,
            "role": prime.role,
            "hook": prime.hook.as_ref().map(hook_json),
            "last_end": prime.last_end,
            "mail": prime.mail,
        });
        return console.document(&document);
    }
    say_prime(&prime, context.caller.incarnation.is_some(), console)?;
    Ok(0)
}

fn say_prime(prime: &Prime, is_agent: bool, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("You are {}.", prime.address))?;
    match &prime.hook {
        Some(hook) => {
            console.line("There is work on your hook, so you run it, step by step, without waiting to be asked.")?;
            if let Some(end) = &prime.last_end {
                console
                    .line(&format!("You go on where another stopped ({end}): its files are still in this worktree."))?;
            }
            if let Some(why) = &hook.attempt.why {
                console.line("The attempt before this one came back. Its work is on your branch. Why it came back:")?;
                console.line(&quoted(why))?;
            }
            say_hook(hook, console)?;
            say_bead(hook, console)?;
        }
        None => {
            let otherwise = match is_agent {
                true => "Your hook is empty: end your turn.",
                false => "gt status shows the town; gt do \"<title>\" gives work out.",
            };
            console.line(prime.role.unwrap_or(otherwise).trim_end())?;
        }
    }
    say_mail(prime, console)
}

fn say_bead(hook: &Hook, console: &mut Console<'_>) -> Result<(), CliError> {
    let bead = &hook.bead;
    for (name, text) in [
        ("What is to be done", &bead.description),
        ("Design", &bead.design),
        ("It is done when", &bead.acceptance_criteria),
        ("Notes so far", &bead.notes),
    ] {
        if !text.is_empty() {
            console.line(&format!("{name}:"))?;
            console.line(&quoted(text))?;
        }
    }
    Ok(())
}

/// Text of others, marked as such: every line behind a bar.
fn quoted(text: &str) -> String {
    printable_lines(text).lines().map(|line| format!("| {line}")).collect::<Vec<_>>().join("\n")
}

fn say_mail(prime: &Prime, console: &mut Console<'_>) -> Result<(), CliError> {
    for mail in prime.mail.iter().take(MAILS_SHOWN) {
        console.line(&format!("Mail {} from {}: {}", mail.id, mail.from, printable(&mail.subject)))?;
        let mut end = mail.body.len().min(MAIL_SHOWN_BYTES);
        while !mail.body.is_char_boundary(end) {
            end -= 1;
        }
        if end > 0 {
            console.line(&quoted(&mail.body[..end]))?;
        }
        if end < mail.body.len() {
            console.line(&format!("| … all of it: gt mail read {}", mail.id))?;
        }
    }
    let more = prime.mail.len().saturating_sub(MAILS_SHOWN);
    if more > 0 {
        console.line(&format!("{more} more: gt mail inbox"))?;
    }
    Ok(())
}

/// `gt step …`.
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

/// `gt mol …`.
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
        table.row([step.step.id, step.done_at.unwrap_or_default(), step.step.title]);
    }
    console.table(&table)?;
    Ok(0)
}

/// `gt done`.
pub fn done(
    context: &Context<'_>,
    no_code: bool,
    status: Option<ParkStatus>,
    message: Option<&str>,
    console: &mut Console<'_>,
) -> CliResult {
    let exit = match status {
        Some(ParkStatus::Escalated) => Exit::Escalated,
        Some(ParkStatus::Deferred) => Exit::Deferred,
        None if no_code => Exit::NoCode,
        None => Exit::Completed,
    };
    let submitted = done::done(&context.town, &context.caller, exit, message)?;
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
