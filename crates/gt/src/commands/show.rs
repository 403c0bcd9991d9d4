//! `gt show`: the story of anything with an id, on one screen.

use clap::Args;
use gt_town::view::story::{self, AttemptStory, BeadStory, ConvoyStory, RigStory, Story};

use super::convoy::{state_words, status_words};
use super::mq::item_text;
use super::status::say_rig;
use crate::cli::Group;
use crate::console::{Console, Table, counted, printable, printable_lines, time_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::words::{self, Worded};

/// Lines of a description that are shown.
const TEXT_LINES: usize = 12;

/// Tell the story of a bead, merge request, convoy, worker, session or rig on one screen
#[derive(Debug, Args)]
#[command(display_order = Group::Watch.order())]
pub struct ShowArgs {
    /// Its id, address or name
    id: String,
}

/// Runs `gt show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let id = args.id.as_str();
    let story = story::tell(&context.town, id)?;
    if console.is_json() {
        return console.facts("gt.story/1", "story", story.worded()?);
    }
    match story {
        Story::Bead(story) => say_bead(&story, console)?,
        Story::Convoy(story) => say_convoy(&story, console)?,
        Story::MergeRequest(shown) => super::mq::show::say(&shown, console)?,
        Story::Worker { .. } => return super::polecat::show::show_named(context, id, console),
        Story::Agent(status) => super::mayor::say(&status, console)?,
        Story::Session(session) => super::session::show::say_session(&session, console)?,
        Story::Rig(story) => say_rig_story(&story, console)?,
    }
    Ok(0)
}

fn say_bead(story: &BeadStory, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("{}  {}", story.id, printable(&story.title)))?;
    let by = story.created_by.as_deref().map(|by| format!(", made by {}", printable(by))).unwrap_or_default();
    console.line(&format!("{} {} of priority {}{by}", story.status, story.issue_type, story.priority))?;
    let convoys: Vec<&str> = story.convoys.iter().map(|id| id.as_str()).collect();
    if !convoys.is_empty() {
        console.line(&format!("in convoy {}", convoys.join(", ")))?;
    }
    say_text("what", &story.description, &story.id.0, console)?;
    say_text("done when", &story.acceptance_criteria, &story.id.0, console)?;
    for attempt in &story.attempts {
        say_attempt(attempt, console)?;
    }
    for shown in &story.merge_requests {
        let mr = &shown.item.mr;
        let landed = mr.commit_landed.as_ref().filter(|_| mr.ended_at.is_some());
        let landed = landed.map(|commit| format!(" as {}", commit.short())).unwrap_or_default();
        console.line(&format!("{}: {}{landed}", mr.id, printable(&item_text(&shown.item))))?;
        if let Some(verdict) = &shown.verdict {
            let word = if verdict.passed { "green" } else { "red" };
            let took = verdict.took_ms as f64 / 1000.0;
            console.line(&format!("  gates: {word} in {took:.1} s; gt mq log {}", mr.id))?;
        }
    }
    if story.attempts.len() > 1 && !story.cost.is_nothing() {
        console.line(&format!("took in all: {}", printable(&story.cost.words())))?;
    }
    for blocker in &story.blockers {
        console.line(&format!("waits for {} ({}): {}", blocker.id, blocker.status, printable(&blocker.title)))?;
    }
    for condition in &story.conditions {
        let first = condition.text.lines().next().unwrap_or_default();
        let text = console.red(&printable(first));
        console.line(&text)?;
    }
    let answer = words::answer(&story.id, &story.answer);
    console.line(&printable(answer.lines().next().unwrap_or_default()))?;
    say_next(words::next(&story.id, &story.answer, story.is_stalled), console)
}

/// Prints the beginning of a text, each line indented.
fn say_text(name: &str, text: &str, id: &str, console: &mut Console<'_>) -> Result<(), CliError> {
    if text.trim().is_empty() {
        return Ok(());
    }
    console.line(&format!("{name}:"))?;
    let text = printable_lines(text.trim());
    for line in text.lines().take(TEXT_LINES) {
        console.line(&format!("  {line}"))?;
    }
    if text.lines().nth(TEXT_LINES).is_some() {
        console.line(&format!("  … gt bead show {id}"))?;
    }
    Ok(())
}

fn say_attempt(attempt: &AttemptStory, console: &mut Console<'_>) -> Result<(), CliError> {
    let AttemptStory { number, worker, agent, .. } = attempt;
    let state = words::attempt(&attempt.state);
    console.line(&printable(&format!("attempt {number} by {worker} ({agent}): {state}")))?;
    if let Some(why) = &attempt.why {
        console.line(&format!("  since the one before: {}", printable(why.lines().next().unwrap_or_default())))?;
    }
    let commits = attempt.commits.map(|count| format!(", {}", counted(count, "commit"))).unwrap_or_default();
    let (done, all) = attempt.steps;
    let sessions = counted(attempt.sessions.len() as u64, "session");
    console.line(&format!("  {done} of {all} steps{commits}, {sessions}, since {}", time_text(attempt.opened_at)))?;
    if !attempt.cost.is_nothing() {
        console.line(&format!("  took {}", printable(&attempt.cost.words())))?;
    }
    attempt.ends.iter().try_for_each(|end| console.line(&format!("  session {}", printable(end))))
}

fn say_next(next: Option<String>, console: &mut Console<'_>) -> Result<(), CliError> {
    next.map_or(Ok(()), |next| console.line(&format!("next: {next}")))
}

fn say_convoy(story: &ConvoyStory, console: &mut Console<'_>) -> Result<(), CliError> {
    let state = state_words(story.state);
    console.line(&format!("{}  {}  ({state})", story.id, printable(&story.title)))?;
    let mut table = Table::new(&["BEAD", "STATUS", "TITLE", "WHERE IT IS"]);
    for member in &story.members {
        let answer = words::answer(&member.id, &member.answer);
        let where_ = answer.strip_prefix(&format!("{} ", member.id)).unwrap_or(&answer);
        table.row([member.id.as_str(), &status_words(&member.status, member.state), &member.title, where_]);
    }
    console.table(&table)?;
    for member in &story.members {
        say_next(words::next(&member.id, &member.answer, member.is_stalled), console)?;
    }
    Ok(())
}

fn say_rig_story(story: &RigStory, console: &mut Console<'_>) -> Result<(), CliError> {
    say_rig(&story.rig, console)?;
    console.line(&format!("  gates: {}", story.rig.gates.join(", ")))?;
    for condition in &story.conditions {
        let text = console.red(&printable(&format!("  {}: {}", condition.kind, condition.text)));
        console.line(&text)?;
    }
    for (worker, bead) in &story.workers {
        console.line(&format!("  {worker} works on {bead}"))?;
    }
    for item in &story.queue {
        console.line(&format!("  {}: {}", item.mr.id, printable(&item_text(item))))?;
    }
    Ok(())
}
