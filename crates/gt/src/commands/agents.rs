//! Verbs for kinds of agent: which exist, how they start, whether they can work.

use std::collections::BTreeSet;

use gt_town::agents::check::{self, Finding, Level};
use gt_town::moments::asking::{self, Answer};
use gt_town::town::settings::AgentPreset;
use serde_json::json;

use crate::cli::{AgentVerb, AnswerArg};
use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Exit code where a person must do something first.
const NEEDS_PERSON: u8 = 5;

/// Runs `gt agent …`.
pub fn run(verb: &AgentVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        AgentVerb::List => list(context, console),
        AgentVerb::Show { kind } => show(context, kind, console),
        AgentVerb::Answer { address, answer } => answers(context, address, *answer, console),
        AgentVerb::Check { kind, rig, update } => {
            if *update {
                update_path(context, console)?;
            }
            check(context, kind.as_deref(), rig.as_deref(), console)
        }
    }
}

fn answers(context: &Context<'_>, address: &str, answer: AnswerArg, console: &mut Console<'_>) -> CliResult {
    let answer = match answer {
        AnswerArg::Yes => Answer::Yes,
        AnswerArg::No => Answer::No,
        AnswerArg::Always => Answer::Always,
    };
    let answered = asking::answer(&context.town, &context.caller, address, answer)?;
    if console.is_json() {
        return console.facts("gt.answered/1", "answered", answered);
    }
    console.say(&format!("answered {}: {}", answered.address, printable(&answered.asked)))?;
    if let Some(allowed) = &answered.allowed {
        console.say(&format!("allowed without asking from now on: {}", printable(allowed)))?;
    }
    Ok(0)
}

/// Describes where a kind is defined.
fn source(context: &Context<'_>, kind: &str) -> &'static str {
    let town = &context.town;
    match (town.settings.agents.contains_key(kind), town.outside.presets.contains_key(kind)) {
        (true, true) => "town.toml over gt",
        (true, false) => "town.toml",
        (false, _) => "gt",
    }
}

fn list(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let town = &context.town;
    let kinds: BTreeSet<&String> = town.settings.agents.keys().chain(town.outside.presets.keys()).collect();
    let mut rows = Vec::new();
    for kind in kinds {
        // Lists a kind that can't start too; showing it says why.
        let command = town.agent(kind).map(|preset| preset.command.join(" ")).unwrap_or_default();
        let of_town = town.settings.agent.as_deref() == Some(kind);
        rows.push((kind, source(context, kind), of_town, command));
    }
    if console.is_json() {
        let facts: Vec<_> = rows
            .iter()
            .map(|(kind, source, of_town, command)| {
                json!({ "kind": kind, "source": source, "of_town": of_town, "command": command })
            })
            .collect();
        return console.facts("gt.agents/1", "agents", facts);
    }
    let mut table = Table::new(&["KIND", "FROM", "TOWN'S", "COMMAND"]);
    for (kind, source, of_town, command) in rows {
        table.row([kind.as_str(), source, if of_town { "yes" } else { "" }, &printable(&command)]);
    }
    console.table(&table)?;
    Ok(0)
}

fn show(context: &Context<'_>, kind: &str, console: &mut Console<'_>) -> CliResult {
    let preset = hide_values(context.town.agent(kind)?);
    if console.is_json() {
        return console.facts("gt.agent/1", "agent", json!({ "kind": kind, "preset": preset }));
    }
    console.line(&format!("# {kind}, from {}", source(context, kind)))?;
    let text = toml::to_string(&std::collections::BTreeMap::from([(
        "agents",
        std::collections::BTreeMap::from([(kind, preset)]),
    )]));
    let text = text.map_err(|error| CliError::Io(std::io::Error::other(error)))?;
    for line in text.lines() {
        console.line(&printable(line))?;
    }
    Ok(0)
}

/// Removes the values of variables that hold a key.
fn hide_values(mut preset: AgentPreset) -> AgentPreset {
    for name in &preset.api_keys {
        if let Some(value) = preset.env.get_mut(name) {
            "(not shown)".clone_into(value);
        }
    }
    preset
}

/// Stores the caller's PATH for agents, and prints what came and went.
fn update_path(context: &Context<'_>, console: &mut Console<'_>) -> Result<(), CliError> {
    let news = check::take_path(&context.town, &context.caller)?;
    match news.words() {
        Some(words) => console.note(&format!("the agents' PATH is that of this shell now: {words}")),
        None => console.note("the agents' PATH is that of this shell already"),
    }
}

fn check(context: &Context<'_>, kind: Option<&str>, rig: Option<&str>, console: &mut Console<'_>) -> CliResult {
    let town = &context.town;
    let rigs = match rig {
        Some(name) => vec![town.rig(name)?],
        None => town.rigs()?,
    };
    let of_rig = rig.and_then(|_| rigs[0].settings.agent.as_deref());
    let kind = kind.or(of_rig).or(town.settings.agent.as_deref()).ok_or_else(|| CliError::Usage {
        what: "which kind?".to_owned(),
        hint: "gt agent check <kind>; gt agent list shows them; agent = \"<kind>\" in town.toml sets one".to_owned(),
    })?;
    let findings = check::check(town, kind, &rigs)?;
    let code = if findings.iter().any(|finding| finding.level == Level::Bad) { NEEDS_PERSON } else { 0 };
    if console.is_json() {
        console.facts("gt.agent-check/1", "check", json!({ "kind": kind, "findings": findings }))?;
        return Ok(code);
    }
    for finding in &findings {
        say(finding, console)?;
    }
    Ok(code)
}

fn say(finding: &Finding, console: &mut Console<'_>) -> Result<(), CliError> {
    let mark = match finding.level {
        Level::Ok => console.green("ok  "),
        Level::Warn => "warn".to_owned(),
        Level::Bad => console.red("bad "),
    };
    console.line(&format!("{mark}  {}: {}", finding.what, printable(&finding.found)))?;
    match &finding.next {
        Some(next) => console.line(&format!("      next: {}", printable(next))),
        None => Ok(()),
    }
}
