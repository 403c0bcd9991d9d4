//! `gt do`.

use clap::Args;
use gt_town::work::beads::NewBead;
use gt_town::work::sling::{self, SlingOptions};

use super::sling::report;
use crate::cli::{Group, RuntimeArg};
use crate::console::Console;
use crate::context::{Context, text_or_stdin};
use crate::error::CliResult;

/// Create a bead for each title, sling them (assign them to new workers), and say how to watch
#[derive(Debug, Args)]
#[command(display_order = Group::Assign.order())]
pub struct DoArgs {
    /// What to do, one title for each bead
    #[arg(required = true)]
    titles: Vec<String>,
    /// In this rig [default: the one you are in, or the only one]
    #[arg(long)]
    rig: Option<String>,
    /// Details for every bead; `-` reads them from standard input
    #[arg(long, short)]
    description: Option<String>,
    /// Kind of agent
    #[arg(long)]
    agent: Option<String>,
    /// Run in a terminal of the town's tmux, or without one [default: as rig.toml and town.toml say]
    #[arg(long, value_enum)]
    runtime: Option<RuntimeArg>,
}

/// Runs `gt do`.
pub fn r#do(args: &DoArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let options = SlingOptions {
        agent: args.agent.clone(),
        runtime: args.runtime.map(RuntimeArg::into),
        ..SlingOptions::default()
    };
    let rig = context.rig(args.rig.as_deref())?;
    let description = text_or_stdin(args.description.clone().unwrap_or_default())?;
    let bead = |title: &String| NewBead {
        prefix: rig.row.prefix.clone(),
        title: title.clone(),
        description: description.clone(),
        ..NewBead::default()
    };
    let new: Vec<NewBead> = args.titles.iter().map(bead).collect();
    let slung = sling::make_and_sling(&context.town, &context.caller, &new, &rig, &options)?;
    report(context, &slung, console)?;
    console.say("watch: gt status · gt log --follow")?;
    Ok(0)
}
