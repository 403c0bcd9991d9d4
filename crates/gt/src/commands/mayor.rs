//! Verbs for the mayor.

use std::time::Duration;

use gt_ledger::AgentChoice;
use gt_model::address::Address;
use gt_town::Error;
use gt_town::agents::sessions;
use gt_town::moments::allow::Whom;
use gt_town::patrol::mayor;
use gt_town::patrol::needs::Need;
use gt_town::patrol::standing::{self, AgentStatus};
use serde_json::json;

use super::allow;
use super::session;
use crate::cli::MayorVerb;
use crate::console::{Console, printable, printable_lines};
use crate::context::{Context, text_or_stdin};
use crate::error::{CliError, CliResult};

/// Runs `gt mayor …`.
pub fn run(verb: MayorVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    match verb {
        MayorVerb::Start { agent, runtime } => {
            let choice = AgentChoice { kind: agent, runtime: runtime.map(Into::into) };
            let status = standing::start(town, caller, &Address::Mayor, &choice)?;
            said_of_start(context, &status, "gt mayor attach", console)
        }
        MayorVerb::Ask { text, wait, timeout } => {
            let wait = wait.then(|| Duration::from_secs(timeout));
            ask(context, &text_or_stdin(text)?, wait, console)
        }
        MayorVerb::Allow { pattern, remove, .. } => allow::run(context, Whom::Mayor, pattern, remove, console),
        MayorVerb::Attach => {
            session::attach(context, &sessions::find(town, "mayor/").map_err(|_| none_yet())?, console)
        }
        MayorVerb::Stop => {
            let status = standing::stop(town, caller, &Address::Mayor)?;
            said_of_stop(&status, "gt mayor start, or gt mayor ask", console)
        }
        MayorVerb::Status => show(&standing::status(town, &Address::Mayor)?, console),
    }
}

fn none_yet() -> CliError {
    Error::refused("the mayor was never started", "gt mayor start").into()
}

/// Reports to a person that a standing agent was started.
pub fn said_of_start(
    context: &Context<'_>,
    status: &AgentStatus,
    attach: &str,
    console: &mut Console<'_>,
) -> CliResult {
    if console.is_json() {
        return console.facts("gt.agent/1", "agent", status);
    }
    console.say(&format!("{}: {}", status.agent.address, printable(&status.doing)))?;
    match &status.session {
        Some(session) if status.running => {
            let found = sessions::find(&context.town, session)?;
            let terminal = found.runtime == Some(gt_world::Runtime::Tmux);
            let look = format!("gt peek {} --follow", status.agent.address);
            console.say(&format!("next: {}", if terminal { attach } else { &look }))?;
        }
        _ if !context.town.deacon_runs()? => console.note("the town is down: it starts with gt up")?,
        _ => {}
    }
    Ok(0)
}

/// Reports to a person that a standing agent was stopped.
pub fn said_of_stop(status: &AgentStatus, start: &str, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.agent/1", "agent", status);
    }
    console.say(&format!("{}: {}, and stays so until {start}", status.agent.address, printable(&status.doing)))?;
    Ok(0)
}

fn show(status: &AgentStatus, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.agent/1", "agent", status);
    }
    say(status, console)?;
    Ok(0)
}

/// Prints a standing agent on a few lines.
pub fn say(status: &AgentStatus, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("{}: {}", status.agent.address, printable(&status.doing)))?;
    console.line(&format!("  folder: {}", status.folder))?;
    if let Some(session) = &status.session {
        console.line(&format!("  session: {session}"))?;
    }
    if status.mail > 0 {
        console.line(&format!("  mail that it was not told of yet: {}", status.mail))?;
    }
    Ok(())
}

fn ask(context: &Context<'_>, text: &str, wait: Option<Duration>, console: &mut Console<'_>) -> CliResult {
    let asked = mayor::ask(&context.town, &context.caller, text)?;
    let up = context.town.deacon_runs()?;
    if !console.is_json() {
        console.say(&format!("asked the mayor: {}", asked.mail))?;
        match (asked.started, up) {
            (_, false) => console.note("the town is down: the mayor gets it with gt up")?,
            (true, true) => console.note("the mayor did not run: it is started, with this as its first work")?,
            (false, true) => {}
        }
    }
    let answer = match wait {
        Some(at_most) if up => {
            if !console.is_json() {
                console.note(&format!("waiting for its answer, at most {} s", at_most.as_secs()))?;
            }
            let mut told = Vec::new();
            let quiet = console.is_json();
            let mut waits = |need: &Need| {
                if !quiet {
                    told.push(console.note(&format!(
                        "the mayor waits for a person: {}; {}",
                        printable(need.condition.text.lines().next().unwrap_or_default()),
                        need.next
                    )));
                }
            };
            let answer = mayor::wait_for_answer(&context.town, &asked.mail, at_most, &mut waits)?;
            told.into_iter().collect::<Result<(), _>>()?;
            Some(answer)
        }
        _ => None,
    };
    if console.is_json() {
        let answer = answer.as_ref().map(|answer| answer.as_ref());
        return console.document(&json!({ "schema": "gt.asked/1", "asked": asked, "answer": answer }));
    }
    match answer {
        Some(Some(mail)) => {
            console.line(&printable(&mail.subject))?;
            console.line(printable_lines(&mail.body).trim_end())?;
        }
        Some(None) => {
            return Err(Error::TimedOut {
                what: "the mayor has not answered yet".to_owned(),
                hint: "its answer comes by mail: gt mail inbox; gt mayor status says what it is doing".to_owned(),
            }
            .into());
        }
        None => console.say("the answer comes by mail: gt mail inbox")?,
    }
    Ok(0)
}
