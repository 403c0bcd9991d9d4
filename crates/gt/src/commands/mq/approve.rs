//! `gt mq approve`.

use clap::Args;
use gt_model::id::MrId;
use gt_model::queue::MrStatus;
use gt_town::refinery;
use gt_town::refinery::review as engine;

use super::items;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Approve green merge requests, so that the next round lands them
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Their ids, or their beads' ids
    #[arg(required_unless_present = "all")]
    ids: Vec<String>,
    /// All that wait for approval
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

/// Runs `gt mq approve`.
pub fn approve(args: &ApproveArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let ids: Vec<MrId> = if args.all {
        items(context, None, false)?
            .into_iter()
            .filter(|item| item.status == MrStatus::NeedsApproval)
            .map(|item| item.mr.id)
            .collect()
    } else {
        args.ids.iter().map(|text| Ok(engine::find(&context.town, text)?.id)).collect::<Result<_, CliError>>()?
    };
    let approved = refinery::approve(&context.town, &context.caller, &ids)?;
    if console.is_json() {
        return console.facts("gt.approved/1", "approved", ids);
    }
    for mr in &approved {
        console.say(&format!("approved {}: it lands with the next round", mr.id))?;
    }
    if approved.is_empty() {
        console.say("nothing waits for approval")?;
    } else if !context.town.deacon_runs()? {
        console.say("no deacon runs: gt up, or gt refinery run --once")?;
    } else if let Some(rig) = approved.first().map(|mr| mr.rig.to_string()) {
        console.say(&format!("to land green work without asking: gt rig set {rig} landing=auto"))?;
    }
    Ok(0)
}
