//! `gt mq`.

use clap::Subcommand;
use gt_ledger::MergeRequest;
use gt_model::id::MrId;
use gt_model::queue::MrStatus;
use gt_town::Error;
use gt_town::refinery::queue::{self, QueueItem};
use gt_town::refinery::review;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

mod approve;
mod cancel;
mod checkout;
mod diff;
mod hold;
mod landed;
mod list;
mod log;
mod reject;
mod retry;
pub mod show;

/// Review merge requests: show, approve, send back, hold
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Land.order())]
pub enum MqVerb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Diff(diff::DiffArgs),
    Log(log::LogArgs),
    Checkout(checkout::CheckoutArgs),
    Approve(approve::ApproveArgs),
    Reject(reject::RejectArgs),
    Hold(hold::HoldArgs),
    #[command(visible_alias = "release")]
    Retry(retry::RetryArgs),
    Landed(landed::LandedArgs),
    Cancel(cancel::CancelArgs),
}

/// Runs a verb of `gt mq`.
pub fn mq(verb: &MqVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        MqVerb::List(args) => list::list(args, context, console),
        MqVerb::Show(args) => show::show(args, context, console),
        MqVerb::Diff(args) => diff::diff(args, context, console),
        MqVerb::Log(args) => log::log(args, context, console),
        MqVerb::Checkout(args) => checkout::checkout(args, context, console),
        MqVerb::Approve(args) => approve::approve(args, context, console),
        MqVerb::Reject(args) => reject::reject(args, context, console),
        MqVerb::Hold(args) => hold::hold(args, context, console),
        MqVerb::Retry(args) => retry::retry(args, context, console),
        MqVerb::Landed(args) => landed::landed(args, context, console),
        MqVerb::Cancel(args) => cancel::cancel(args, context, console),
    }
}

/// Returns the merge requests of a rig, or of all; also ended ones on request.
fn items(context: &Context<'_>, rig: Option<&str>, all: bool) -> Result<Vec<QueueItem>, CliError> {
    let rigs = context.town.rigs()?;
    let only = rig.map(|name| context.town.rig(name)).transpose()?;
    Ok(context.town.ledger.read(|view| queue::items(&context.town, view, &rigs, only.as_ref(), all))?)
}

/// Describes the status of a merge request, and what its gates are doing.
pub fn item_text(item: &QueueItem) -> String {
    match (&item.status, &item.gating) {
        (MrStatus::Waiting, Some(running)) => running.words(&item.mr.id),
        (status, _) => status_text(status),
    }
}

/// Describes a status in words.
fn status_text(status: &MrStatus) -> String {
    match status {
        MrStatus::Waiting => "waiting".to_owned(),
        MrStatus::NeedsApproval => "green, needs approval".to_owned(),
        MrStatus::Held(why) => format!("held: {why}"),
        MrStatus::Empty(why) => format!("empty: {why}"),
        MrStatus::MaybeLanded(why) => format!("maybe landed: {why}"),
        MrStatus::Landing => "landing".to_owned(),
        MrStatus::Ended(end) => end.as_str().to_owned(),
    }
}

/// Prints what was decided on merge requests, or what they are now as JSON.
fn said(mrs: &[MergeRequest], words: &str, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let ids: Vec<&MrId> = mrs.iter().map(|mr| &mr.id).collect();
    if console.is_json() {
        let now = ids.iter().map(|id| review::show(&context.town, id.as_str())).collect::<Result<Vec<_>, Error>>()?;
        return console.facts("gt.merge-requests/1", "merge_requests", now);
    }
    for id in ids {
        console.say(&format!("{id} is {words}"))?;
    }
    if !context.town.deacon_runs()? {
        console.say("no deacon runs: gt up")?;
    }
    Ok(0)
}
