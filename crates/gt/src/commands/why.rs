//! `gt why`.

use clap::Args;
use gt_model::address::Address;
use gt_model::bead::BeadType;
use gt_model::convoy::{ConvoyState, MemberState};
use gt_model::id::{BeadId, MoleculeId};
use gt_town::Error;
use gt_town::patrol::standing;
use gt_town::refinery::review;
use gt_town::view::observe::{self, Why};
use gt_town::view::story;
use gt_town::work::beads;

use super::mq::item_text;
use crate::cli::Group;
use crate::console::{Console, printable, reasons, time_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::words::{self, Worded};

/// Explain the state of a bead, merge request, worker, molecule or rig, and what it waits for
#[derive(Debug, Args)]
#[command(display_order = Group::Watch.order())]
pub struct WhyArgs {
    /// Its id, address or name
    id: String,
}

/// Runs `gt why`.
pub fn why(args: &WhyArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let id = args.id.as_str();
    if let Ok(rig) = context.town.rig(id) {
        return why_rig(context, &rig, console);
    }
    if let Some(agent) = story::standing_agent(id) {
        return why_agent(context, &agent, console);
    }
    if id.starts_with("mol-") && id.parse::<MoleculeId>().is_ok() {
        let molecule = super::mol::molecule(context, Some(id))?;
        return super::mol::status::say(&molecule, context, console);
    }
    if id.contains('/') {
        return super::polecat::show::show_named(context, id, console);
    }
    let id = context.town.ledger.read(|view| match beads::resolve(view, id) {
        Ok(bead) => Ok(bead),
        // A part of a merge request's id is enough where it is unique.
        Err(error) => review::find_in(view, id).map(|mr| mr.bead).map_err(|_| error),
    })?;
    let bead = context.town.ledger.read(|view| beads::require(view, &id))?;
    if bead.issue_type == BeadType::Convoy {
        return why_convoy(context, &id, console);
    }
    let why = observe::why(&context.town, &id)?;
    if console.is_json() {
        return console.facts("gt.why/1", "why", why.worded()?);
    }
    say_why(&why, console)?;
    Ok(0)
}

fn say_why(why: &Why, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&reasons(&words::answer(&why.bead, &why.answer)))?;
    if let Some(next) = words::next(&why.bead, &why.answer, why.is_stalled) {
        console.line(&format!("next: {next}"))?;
    }
    for blocker in &why.blockers {
        console.line(&format!(
            "  waits for {} ({}, {}): {}",
            blocker.id,
            blocker.kind,
            blocker.status,
            printable(&blocker.title)
        ))?;
    }
    for attempt in &why.attempts {
        let end = attempt.outcome.map_or("live", gt_ledger::AttemptOutcome::as_str);
        console.line(&format!("  attempt {} by {}: {end}", attempt.number, attempt.address()))?;
        if let Some(reason) = &attempt.why {
            let first = reason.lines().next().unwrap_or_default();
            console.line(&format!("    since the one before: {}", printable(first)))?;
        }
    }
    if !why.cost.is_nothing() {
        console.line(&format!("  took so far: {}", printable(&why.cost.words())))?;
    }
    for item in &why.merge_requests {
        console.line(&format!("  {}: {}", item.mr.id, item_text(item)))?;
        if let Some(failure) = &item.mr.failure {
            console.line(&format!("    {}", printable(failure.lines().next().unwrap_or_default())))?;
        }
    }
    for effect in &why.effects {
        let tried = match &effect.last_error {
            Some(error) => format!(" (tried {}, last: {})", gt_model::words::times(effect.tries), printable(error)),
            None => String::new(),
        };
        console.line(&format!("  to be done: {}{tried}", effect.effect.words()))?;
    }
    for condition in &why.conditions {
        console.line(&format!(
            "  {} since {}: {}",
            condition.key,
            time_text(condition.since),
            printable(&condition.text)
        ))?;
    }
    Ok(())
}

/// Prints what a standing agent waits for: what it is doing, its mail, and what is wrong with it.
fn why_agent(context: &Context<'_>, agent: &Address, console: &mut Console<'_>) -> CliResult {
    let status = standing::status(&context.town, agent)?;
    let subject = agent.to_string();
    let mut conditions = context.town.ledger.read(|view| view.conditions().map_err(Error::from))?;
    conditions.retain(|condition| condition.subject == subject);
    if console.is_json() {
        let facts = serde_json::json!({ "agent": status.worded()?, "conditions": conditions });
        return console.facts("gt.why-agent/1", "why", facts);
    }
    super::mayor::say(&status, console)?;
    for condition in conditions {
        console.line(&format!(
            "  {} since {}: {}",
            condition.kind,
            time_text(condition.since),
            printable(&condition.text)
        ))?;
    }
    Ok(0)
}

/// Prints the beads that a convoy waits for: those that are not over.
fn why_convoy(context: &Context<'_>, id: &BeadId, console: &mut Console<'_>) -> CliResult {
    let mut convoy = story::convoy_story(&context.town, id)?;
    let beads = convoy.members.len();
    let not_landed = convoy.members.iter().filter(|member| member.state == MemberState::NotLanded).count();
    convoy.members.retain(|member| member.state == MemberState::Open);
    if console.is_json() {
        return console.facts("gt.why-convoy/1", "convoy", convoy.worded()?);
    }
    let answer = match convoy.state {
        ConvoyState::OnItsWay => None,
        ConvoyState::Landed => Some(format!("{id} has landed: each of its beads has")),
        ConvoyState::Closed if not_landed == 0 => Some(format!("{id} was closed by hand")),
        ConvoyState::Closed => Some(format!("{id} is closed: {not_landed} of its beads did not land")),
        ConvoyState::Empty if beads == 0 => Some(format!("{id} is empty: it has no beads")),
        ConvoyState::Empty => Some(format!("{id} is empty: each of its beads was deleted")),
    };
    if let Some(answer) = answer {
        console.line(&answer)?;
        if convoy.state == ConvoyState::Empty {
            console.line(&format!("next: gt convoy add {id} <bead>, or gt bead close {id}"))?;
        }
        return Ok(0);
    }
    console.line(&format!("{id} waits for {} of its beads", convoy.members.len()))?;
    for member in &convoy.members {
        console.line(&format!("  {}", printable(&words::answer(&member.id, &member.answer))))?;
        if let Some(next) = words::next(&member.id, &member.answer, member.is_stalled) {
            console.line(&format!("    next: {next}"))?;
        }
    }
    Ok(0)
}

fn why_rig(context: &Context<'_>, rig: &gt_town::Rig, console: &mut Console<'_>) -> CliResult {
    let conditions = context.town.ledger.read(|view| view.conditions().map_err(Error::from))?;
    let name = rig.name().to_string();
    let about = |subject: &str| subject == name || subject.starts_with(&format!("{name}:"));
    let conditions: Vec<_> = conditions.into_iter().filter(|c| about(&c.subject)).collect();
    if console.is_json() {
        return console.facts("gt.why-rig/1", "conditions", conditions);
    }
    if conditions.is_empty() {
        console.line(&format!("nothing holds the rig {name}"))?;
    }
    for condition in conditions {
        console.line(&format!(
            "{} since {}: {}",
            condition.kind,
            time_text(condition.since),
            reasons(&condition.text)
        ))?;
    }
    Ok(0)
}
