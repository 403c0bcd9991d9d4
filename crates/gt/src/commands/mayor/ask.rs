//! `gt mayor ask`.

use std::time::Duration;

use clap::Args;
use gt_town::Error;
use gt_town::patrol::mayor;
use gt_town::patrol::needs::Need;
use serde_json::json;

use crate::console::{Console, printable, printable_lines};
use crate::context::{Context, text_or_stdin};
use crate::error::CliResult;
use crate::words::{self, Worded};

/// Tell the mayor what to build, or ask it something; starts the mayor if needed
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The message; `-` reads it from standard input
    text: String,
    /// Wait for its answer, and print it
    #[arg(long)]
    wait: bool,
    /// Seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "wait")]
    timeout: u64,
}

/// Runs `gt mayor ask`.
pub fn ask(args: &AskArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (text, wait) = (text_or_stdin(args.text.clone())?, args.wait.then(|| Duration::from_secs(args.timeout)));
    let asked = mayor::ask(&context.town, &context.caller, &text)?;
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
                        words::todo(&need.next)
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
        return console.document(&json!({ "schema": "gt.asked/1", "asked": asked.worded()?, "answer": answer }));
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
