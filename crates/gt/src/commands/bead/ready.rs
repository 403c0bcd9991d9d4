//! `gt bead ready`.

use clap::{Args, ValueEnum};
use gt_ledger::{ReadyFilter, ReadyOrder};
use gt_model::bead::{Bead, BeadType};
use gt_town::work::beads;
use gt_town::{Error, Kind};
use serde_json::json;

use crate::commands::bead::changing::changed;
use crate::commands::bead::filter::{self, OnlyArgs};
use crate::commands::bead::found::{print_beads, print_found};
use crate::commands::bead::shapes;
use crate::commands::bead::words::Act;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// List beads that are ready to work on
#[derive(Clone, Debug, Args)]
pub struct ReadyArgs {
    /// Filter of the beads.
    #[command(flatten)]
    only: OnlyArgs,
    /// Sort in this order
    #[arg(long, value_enum, default_value_t)]
    sort: ReadySort,
    /// Claim the first one for you
    #[arg(long)]
    claim: bool,
    /// Say why each one is ready, and what blocks the others
    #[arg(long, conflicts_with = "claim")]
    explain: bool,
    /// Show at most this many; 0: all
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: u32,
    #[arg(long, hide = true)]
    plain: bool,
    #[arg(long, hide = true)]
    pretty: bool,
}

/// Order of ready beads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ReadySort {
    /// By priority, then age.
    #[default]
    Priority,
    /// The oldest first.
    Oldest,
    /// New ones by priority, then the old ones by age.
    Hybrid,
}

/// Runs `gt bead ready`.
pub fn ready(args: &ReadyArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if args.explain {
        return explain(args, context, console);
    }
    let now = context.town.world().clock().now();
    let asked = filter::conditions(&args.only, context)?;
    let wanted = ReadyFilter {
        filter: filter::filter(&args.only, asked, args.limit.saturating_add(u32::from(args.limit > 0)), context)?,
        order: match args.sort {
            ReadySort::Priority => ReadyOrder::Priority,
            ReadySort::Oldest => ReadyOrder::Oldest,
            ReadySort::Hybrid => ReadyOrder::Hybrid,
        },
        epics: args.only.issue_type.iter().any(|word| word == BeadType::Epic.as_str()),
    };
    let found = context.town.ledger.read(|view| view.ready_by(now, &wanted).map_err(Error::from))?;
    if args.claim {
        return claim_first(&found, context, console);
    }
    print_found(found, args.limit, context, console)
}

/// Runs `ready --explain`: prints which beads are ready and which are not, and why.
fn explain(args: &ReadyArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let now = context.town.world().clock().now();
    let asked = filter::conditions(&args.only, context)?;
    let filter = filter::filter(&args.only, asked, 0, context)?;
    let wanted = ReadyFilter { filter: filter.clone(), order: ReadyOrder::Priority, epics: true };
    let (ready, blocked, cycles) = context.town.ledger.read(|view| {
        let ready = view.ready_by(now, &wanted)?;
        let ready = ready.into_iter().map(|bead| Ok((shapes::ready(view, &bead)?, bead)));
        let blocked = view.blocked(&filter)?.into_iter().map(|bead| {
            let ids: Vec<_> = view.blockers(now, &bead.id)?.into_iter().map(|blocker| blocker.id).collect();
            Ok((view.beads_with(&ids)?, bead))
        });
        let (ready, blocked) = (ready.collect::<Result<Vec<_>, Error>>()?, blocked.collect::<Result<Vec<_>, Error>>()?);
        Ok::<_, Error>((ready, blocked, view.cycles()?))
    })?;
    if console.is_json() {
        let ready_shapes: Vec<&str> = ready.iter().map(|(shape, _)| shape.as_str()).collect();
        let blocked_shapes: Vec<String> = blocked.iter().map(|(by, bead)| shapes::held_back(bead, by)).collect();
        let counts = json!({ "total_ready": ready.len(), "total_blocked": blocked.len(), "cycle_count": cycles.len() });
        let document = format!(
            "{{\"ready\":[{}],\"blocked\":[{}],\"cycles\":{},\"summary\":{counts}}}",
            ready_shapes.join(","),
            blocked_shapes.join(","),
            json!(cycles)
        );
        return shapes::print(&document, console);
    }
    for (_, bead) in &ready {
        let over = bead.dependencies.iter().filter(|dep| shapes::holds_back(&dep.kind)).count();
        let why = if over == 0 { "nothing blocks it".to_owned() } else { format!("all {over} blockers are closed") };
        let (id, title) = (printable(bead.id.as_str()), printable(&bead.title));
        console.line(&format!("ready    {id}  {title}: {why}"))?;
    }
    for (by, bead) in &blocked {
        let (id, title) = (printable(bead.id.as_str()), printable(&bead.title));
        let by: Vec<String> = by.iter().map(|bead| printable(&format!("{} ({})", bead.id, bead.status))).collect();
        console.line(&format!("blocked  {id}  {title}: waits for {}", by.join(", ")))?;
    }
    for cycle in &cycles {
        let way: Vec<&str> = cycle.iter().map(|id| id.as_str()).collect();
        console.line(&printable(&format!("cycle    {}", way.join(" -> "))))?;
    }
    console.say(&format!("{} ready, {} blocked", ready.len(), blocked.len()))?;
    Ok(0)
}

/// Runs `ready --claim`: claims the first bead that no other caller claims first.
fn claim_first(found: &[Bead], context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    for bead in found {
        match beads::claim(&context.town, &context.caller, &bead.id) {
            Ok(claimed) if console.is_json() => return print_beads(vec![claimed], context, console),
            Ok(claimed) => return changed(&[claimed], Act::Claim, console),
            Err(error) if error.kind() == Kind::Refused => {}
            Err(error) => return Err(error.into()),
        }
    }
    if console.is_json() {
        return shapes::print_array(&[], console);
    }
    console.say("there is no ready bead to claim")?;
    Ok(0)
}
