//! `gt bead update`.

use std::path::PathBuf;

use clap::Args;
use gt_ledger::BeadChange;
use gt_model::bead::Status;
use gt_model::id::BeadId;
use gt_town::work::beads;

use super::close::close_one;
use super::create::TITLE_HINT;
use crate::commands::bead::changing::{Meant, Outcome, each};
use crate::commands::bead::fields::{due, labels, minutes, priority, rest};
use crate::commands::bead::text::text_of;
use crate::commands::bead::words::Act;
use crate::commands::bead::{metadata, typed};
use crate::console::Console;
use crate::context::{Context, text_or_stdin};
use crate::error::{CliError, CliResult};

/// Change beads
#[derive(Clone, Debug, Args)]
pub struct UpdateArgs {
    /// Their ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Claim the beads: assign them to you, in progress; refused if one is assigned to another
    #[arg(long, conflicts_with_all = ["status", "assignee"])]
    claim: bool,
    /// New title
    #[arg(long, allow_hyphen_values = true)]
    title: Option<String>,
    /// New description; `-` reads it from standard input
    #[arg(long, short, visible_alias = "body", allow_hyphen_values = true)]
    description: Option<String>,
    /// Read the description from a file; `-` for standard input
    #[arg(long, visible_alias = "description-file", value_name = "FILE", conflicts_with = "description")]
    body_file: Option<PathBuf>,
    /// Read the description from standard input
    #[arg(long, conflicts_with_all = ["description", "body_file"])]
    stdin: bool,
    /// New design
    #[arg(long, allow_hyphen_values = true)]
    design: Option<String>,
    /// New acceptance criteria
    #[arg(long, visible_alias = "acceptance-criteria", allow_hyphen_values = true)]
    acceptance: Option<String>,
    /// New notes; `-` reads them from standard input
    #[arg(long, allow_hyphen_values = true)]
    notes: Option<String>,
    /// Add a line to the notes
    #[arg(long, conflicts_with = "notes", allow_hyphen_values = true)]
    append_notes: Option<String>,
    /// New status
    #[arg(long, short)]
    status: Option<String>,
    /// New priority
    #[arg(long, short, value_parser = priority)]
    priority: Option<i64>,
    /// New type
    #[arg(long = "type", short = 't')]
    issue_type: Option<String>,
    /// New assignee; an empty text removes it
    #[arg(long, short)]
    assignee: Option<String>,
    /// Labels to add
    #[arg(long, value_delimiter = ',')]
    add_label: Vec<String>,
    /// Labels to remove
    #[arg(long, value_delimiter = ',')]
    remove_label: Vec<String>,
    /// Replace all labels by these
    #[arg(long, value_delimiter = ',')]
    set_labels: Option<Vec<String>>,
    /// New parent; an empty text removes it
    #[arg(long)]
    parent: Option<String>,
    /// Not ready before this time; an empty text removes it
    #[arg(long)]
    defer: Option<String>,
    /// Due at this time; an empty text removes it
    #[arg(long)]
    due: Option<String>,
    /// Its id in another system; an empty text removes it
    #[arg(long)]
    external_ref: Option<String>,
    /// The id of its specification; an empty text removes it
    #[arg(long)]
    spec_id: Option<String>,
    /// The estimate in minutes
    #[arg(long, short, allow_negative_numbers = true, value_parser = minutes)]
    estimate: Option<u32>,
    /// Metadata for tools, as JSON; keys that it does not name stay
    #[arg(long, allow_hyphen_values = true)]
    pub metadata: Option<String>,
    /// Set a key of the metadata
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "metadata")]
    pub set_metadata: Vec<String>,
    /// Remove a key of the metadata
    #[arg(long, value_name = "KEY", conflicts_with = "metadata")]
    pub unset_metadata: Vec<String>,
    /// Accepted and ignored
    #[arg(long, hide = true)]
    session: Option<String>,
}

/// Runs `gt bead update`.
pub fn update(args: &UpdateArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if args.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
        return Err(CliError::usage("title cannot be empty", TITLE_HINT));
    }
    let description = match (&args.body_file, &args.description) {
        (Some(file), _) => Some(text_of(file, context)?),
        (None, Some(text)) => Some(text_or_stdin(text.clone())?),
        (None, None) if args.stdin => Some(text_or_stdin("-".to_owned())?),
        (None, None) => None,
    };
    let defer = match args.defer.as_deref() {
        Some("") => Some(None),
        Some(text) => Some(Some(typed::future("--defer", text, context)?.into())),
        None => None,
    };
    typed::warn_of_past(&[args.defer.as_deref(), args.due.as_deref()], context, console)?;
    let status = args.status.as_ref().map(|word| typed::status(word, context)).transpose()?;
    // In `bd` this status closes the bead. `gt bead` refers people to the verb that asks for a reason.
    let closes = console.is_bd() && status == Some(Status::Closed);
    let base = BeadChange {
        title: args.title.clone(),
        description,
        design: args.design.clone(),
        acceptance_criteria: args.acceptance.clone(),
        notes: args.notes.clone().map(text_or_stdin).transpose()?,
        more_notes: args.append_notes.clone(),
        status: status.filter(|_| !closes),
        priority: args.priority,
        issue_type: args.issue_type.as_ref().map(|word| typed::bead_type(word, context)).transpose()?,
        assignee: args.assignee.clone().map(|name| if name.is_empty() { None } else { Some(name) }),
        defer_until: defer,
        rest: rest(
            args.external_ref.as_deref(),
            args.spec_id.as_deref(),
            args.estimate,
            args.metadata.as_deref(),
            due(args.due.as_deref(), context)?,
        )?,
        add_labels: labels(&args.add_label),
        remove_labels: args.remove_label.clone(),
        ..BeadChange::default()
    };
    let parent = match args.parent.as_deref() {
        Some("") => Some(None),
        Some(text) => Some(Some(context.town.ledger.read(|view| beads::resolve(view, text))?)),
        None => None,
    };
    each(&args.ids, &Meant::Each, Act::Change, context, console, |id| {
        if args.claim {
            beads::claim(&context.town, &context.caller, id)?;
        }
        let mut bead = beads::update(&context.town, &context.caller, id, &own_change(&base, args, id, context)?)?;
        if let Some(parent) = &parent {
            bead = beads::set_parent(&context.town, &context.caller, id, parent.as_ref())?;
        }
        if closes {
            bead = close_one(id, None, false, true, context)?;
        }
        Ok(Outcome::Done(Box::new(bead)))
    })
}

/// Returns the part of one bead's change that depends on its old state.
fn own_change(
    base: &BeadChange,
    args: &UpdateArgs,
    id: &BeadId,
    context: &Context<'_>,
) -> Result<BeadChange, CliError> {
    let mut change = base.clone();
    let has_metadata = args.metadata.is_some() || !args.set_metadata.is_empty() || !args.unset_metadata.is_empty();
    if args.set_labels.is_none() && !has_metadata {
        return Ok(change);
    }
    let bead = context.town.ledger.read(|view| beads::require(view, id))?;
    if has_metadata {
        change.rest.retain(|(key, _)| key != metadata::KEY);
        change.rest.push((metadata::KEY.to_owned(), metadata::changed(&bead, args)?));
    }
    if let Some(words) = &args.set_labels {
        change.add_labels.extend(labels(words));
        change.remove_labels.extend(bead.labels.into_iter().filter(|label| !change.add_labels.contains(label)));
    }
    Ok(change)
}
