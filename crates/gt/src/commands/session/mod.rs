//! `gt session`.

use clap::Subcommand;
use gt_town::agents::sessions::Session;
use gt_world::Runtime;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

pub mod attach;
mod list;
pub mod show;
mod stop;

/// List agents' sessions, show them, attach to them, stop them
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Watch.order())]
pub enum SessionVerb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Attach(attach::AttachArgs),
    Stop(stop::StopArgs),
}

/// Runs a verb of `gt session`.
pub fn session(verb: &SessionVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        SessionVerb::List(args) => list::list(args, context, console),
        SessionVerb::Show(args) => show::show(args, context, console),
        SessionVerb::Attach(args) => attach::attach(args, context, console),
        SessionVerb::Stop(args) => stop::stop(args, context, console),
    }
}

/// Names the runtime of a session.
fn runtime(session: &Session) -> &'static str {
    session.runtime.map_or("-", Runtime::as_str)
}
