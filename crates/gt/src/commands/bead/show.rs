//! `gt bead show`.

use clap::Args;
use gt_model::bead::{Bead, Status};
use gt_town::Error;
use gt_town::work::beads;

use crate::commands::bead::found::table;
use crate::commands::bead::{shapes, words};
use crate::console::{Console, printable, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show beads in full
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Their ids, or unique parts of them
    #[arg(required_unless_present = "id")]
    ids: Vec<String>,
    /// An id that looks like a flag
    #[arg(long, allow_hyphen_values = true)]
    id: Vec<String>,
    /// One line per bead
    #[arg(long)]
    short: bool,
    /// Accepted and ignored.
    #[command(flatten)]
    ignored: Ignored,
}

/// Flags of the Go `bd` that change nothing here: everything is shown anyway.
#[derive(Debug, Args)]
struct Ignored {
    #[arg(long, hide = true)]
    long: bool,
    #[arg(long, hide = true)]
    include_dependents: bool,
    #[arg(long, hide = true)]
    include_comments: bool,
}

/// Returns the beads to show. `bd` treats a deleted bead as missing, and shows the others all the same.
fn shown(
    texts: &[String],
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> Result<(Vec<Bead>, Option<CliError>), CliError> {
    let as_bd = console.is_bd();
    let one = |text: &String| {
        context.town.ledger.read(|view| {
            let bead = beads::require(view, &beads::resolve(view, text)?)?;
            let is_gone = as_bd && bead.status == Status::Tombstone;
            if is_gone {
                Err(Error::UnknownBead(format!("{text}` (deleted; `bd reopen {} brings it back)", bead.id)))
            } else {
                Ok(bead)
            }
        })
    };
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for text in texts {
        match one(text) {
            Ok(bead) => found.push(bead),
            Err(error) => refused.push(CliError::from(error)),
        }
    }
    if !as_bd && !refused.is_empty() {
        return Err(refused.remove(0));
    }
    let last = if found.is_empty() { refused.pop() } else { None };
    for error in refused {
        console.refusal(&words::failure(error));
    }
    Ok((found, last))
}

/// Runs `gt bead show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let ids: Vec<String> = args.ids.iter().chain(&args.id).cloned().collect();
    let (found, none) = shown(&ids, context, console)?;
    if let Some(error) = none {
        return Err(error);
    }
    if console.is_json() {
        let shapes = context
            .town
            .ledger
            .read(|view| found.iter().map(|bead| shapes::detailed(view, bead)).collect::<Result<Vec<_>, Error>>())?;
        return shapes::print_array(&shapes, console);
    }
    if args.short {
        console.table(&table(&found))?;
        return Ok(0);
    }
    for bead in &found {
        say_bead(bead, console)?;
    }
    Ok(0)
}

/// Prints the kind and state of a bead in a line; as `bd`, in lines that scripts look for.
fn say_kind(bead: &Bead, console: &mut Console<'_>) -> Result<(), CliError> {
    let (status, kind) = (printable(bead.status.as_str()), printable(bead.issue_type.as_str()));
    let holder = bead.assignee.as_deref().map(printable);
    if !console.is_bd() {
        let holder = holder.map(|holder| format!(", assigned to {holder}")).unwrap_or_default();
        return console.line(&format!("{status} {kind} of priority {}{holder}", bead.priority));
    }
    console.line(&format!("Status: {status}\nPriority: P{}\nType: {kind}", bead.priority))?;
    if let Some(holder) = holder {
        console.line(&format!("Assignee: {holder}"))?;
    }
    Ok(())
}

fn say_bead(bead: &Bead, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("{}  {}", printable(bead.id.as_str()), printable(&bead.title)))?;
    say_kind(bead, console)?;
    if let Some(until) = &bead.defer_until {
        console.line(&format!("deferred until {}", printable(&until.text)))?;
    }
    if !bead.labels.is_empty() {
        console.line(&format!("labels: {}", printable(&bead.labels.join(", "))))?;
    }
    if let Some(reason) = &bead.close_reason {
        console.line(&format!("closed: {}", printable(reason)))?;
    }
    for (name, text) in [
        ("description", &bead.description),
        ("design", &bead.design),
        ("acceptance criteria", &bead.acceptance_criteria),
        ("notes", &bead.notes),
    ] {
        if !text.is_empty() {
            console.line(&format!("\n{name}:\n{}", printable_lines(text)))?;
        }
    }
    if console.is_bd() && !bead.dependencies.is_empty() {
        console.line(&format!("\nDependencies ({}):", bead.dependencies.len()))?;
    }
    for dep in &bead.dependencies {
        console.line(&printable(&format!("{} {}", dep.kind, dep.depends_on_id)))?;
    }
    for comment in &bead.comments {
        let (author, at) = (printable(&comment.author), printable(&comment.created_at));
        console.line(&format!("{author} ({at}): {}", printable_lines(&comment.text)))?;
    }
    Ok(())
}
