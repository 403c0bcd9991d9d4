//! `gt agent check`.

use clap::Args;
use gt_town::agents::check::{self, Finding, Level};
use serde_json::json;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Check whether a kind of agent can work: its program, login, billing and permissions, and what the gates need
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The kind [default: that of the town's workers]
    kind: Option<String>,
    /// Only for this rig's workers [default: for those of all rigs]
    #[arg(long)]
    rig: Option<String>,
    /// First store the PATH of this shell for all agents and gates, as `gt up` does
    #[arg(long)]
    update: bool,
}

/// Exit code where a person must do something first.
const NEEDS_PERSON: u8 = 5;

/// Runs `gt agent check`.
pub fn check(args: &CheckArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (kind, rig) = (args.kind.as_deref(), args.rig.as_deref());
    if args.update {
        update_path(context, console)?;
    }
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

/// Stores the caller's PATH for agents, and prints what came and went.
fn update_path(context: &Context<'_>, console: &mut Console<'_>) -> Result<(), CliError> {
    let news = check::take_path(&context.town, &context.caller)?;
    match news.words() {
        Some(words) => console.note(&format!("the agents' PATH is that of this shell now: {words}")),
        None => console.note("the agents' PATH is that of this shell already"),
    }
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
