//! `gt prime`.

use clap::Args;
use gt_model::moment::Source;
use gt_town::work::prime::{self, Prime};
use serde_json::json;

use super::hook::hook_json;
use super::moment::{self, ClientArg, MomentArg};
use crate::Process;
use crate::cli::{Global, Group};
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// Print who you are, what is on your hook, and what to do next
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(display_order = Group::Agents.order())]
pub struct PrimeArgs {
    /// Print where each part comes from, and how large it is
    #[arg(long)]
    explain: bool,
    /// For clients' hooks: a session starts, which standard input describes as JSON
    #[arg(long, hide = true, requires = "client")]
    moment: Option<MomentArg>,
    /// For clients' hooks: the client
    #[arg(long, hide = true, requires = "moment")]
    client: Option<ClientArg>,
}

/// Runs `gt prime`.
pub fn prime(args: PrimeArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    if let PrimeArgs { moment: Some(moment), client: Some(client), .. } = args {
        return moment::call(moment.0, client.0, global, process, console);
    }
    print(&Context::open(global, process)?, args.explain, console)
}

fn print(context: &Context<'_>, explain: bool, console: &mut Console<'_>) -> CliResult {
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
