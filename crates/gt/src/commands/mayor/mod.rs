//! `gt mayor`.

use clap::Subcommand;
use gt_town::agents::sessions;
use gt_town::patrol::standing::AgentStatus;

use crate::cli::Group;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::words::{self, Worded};

mod allow;
mod ask;
mod attach;
mod start;
mod status;
mod stop;

/// Talk to the mayor, the agent that plans work; start and stop it
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Assign.order())]
pub enum MayorVerb {
    Start(start::StartArgs),
    Ask(ask::AskArgs),
    Allow(allow::AllowArgs),
    Attach(attach::AttachArgs),
    Stop(stop::StopArgs),
    Status(status::StatusArgs),
}

/// Runs a verb of `gt mayor`.
pub fn mayor(verb: &MayorVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        MayorVerb::Start(args) => start::start(args, context, console),
        MayorVerb::Ask(args) => ask::ask(args, context, console),
        MayorVerb::Allow(args) => allow::allow(args, context, console),
        MayorVerb::Attach(args) => attach::attach(args, context, console),
        MayorVerb::Stop(args) => stop::stop(args, context, console),
        MayorVerb::Status(args) => status::status(args, context, console),
    }
}

/// Reports to a person that a standing agent was started.
pub fn said_of_start(
    context: &Context<'_>,
    status: &AgentStatus,
    attach: &str,
    console: &mut Console<'_>,
) -> CliResult {
    if console.is_json() {
        return console.facts("gt.agent/1", "agent", status.worded()?);
    }
    console.say(&format!("{}: {}", status.agent.address, printable(&words::agent(&status.doing))))?;
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
        return console.facts("gt.agent/1", "agent", status.worded()?);
    }
    console.say(&format!(
        "{}: {}, and stays so until {start}",
        status.agent.address,
        printable(&words::agent(&status.doing))
    ))?;
    Ok(0)
}

/// Prints a standing agent on a few lines.
pub fn say(status: &AgentStatus, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("{}: {}", status.agent.address, printable(&words::agent(&status.doing))))?;
    console.line(&format!("  folder: {}", status.folder))?;
    if let Some(session) = &status.session {
        console.line(&format!("  session: {session}"))?;
    }
    if status.mail > 0 {
        console.line(&format!("  mail that it has not seen: {}", status.mail))?;
    }
    Ok(())
}
