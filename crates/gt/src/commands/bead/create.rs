//! `gt bead create`.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use clap::Args;
use gt_ledger::BeadChange;
use gt_model::bead::BeadType;
use gt_model::id::BeadId;
use gt_town::work::beads::{self, NewBead, NewNode};
use serde_json::{Value, json};

use crate::commands::bead::changing::changed;
use crate::commands::bead::fields::{due, labels, minutes, priority, rest};
use crate::commands::bead::text::text_of;
use crate::commands::bead::words::Act;
use crate::commands::bead::{markdown, plan, shapes, typed};
use crate::console::{Console, printable};
use crate::context::{Context, text_or_stdin};
use crate::error::{CliError, CliResult};

/// Create beads
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// The title: what to do, in one line
    title: Option<String>,
    /// The title
    #[arg(long = "title", value_name = "TITLE", conflicts_with = "title")]
    title_flag: Option<String>,
    /// Details; `-` reads them from standard input
    #[arg(long, short, visible_alias = "body", allow_hyphen_values = true)]
    description: Option<String>,
    /// Read the details from a file; `-` for standard input
    #[arg(long, visible_alias = "description-file", value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// With a title: read the details from standard input. Without: create a bead of each line, and store each at once
    #[arg(long)]
    stdin: bool,
    /// Create a bead of each `## ` heading of this Markdown file, all or none
    #[arg(long, short, conflicts_with_all = ["title", "title_flag", "stdin"])]
    file: Option<PathBuf>,
    /// Create all beads of this plan with their dependencies, or none: JSON with nodes and edges; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["title", "title_flag", "stdin", "file", "id"])]
    graph: Option<PathBuf>,
    /// The design: how to do it
    #[arg(long, allow_hyphen_values = true)]
    design: Option<String>,
    /// The acceptance criteria: when it is done
    #[arg(long, visible_alias = "acceptance-criteria", allow_hyphen_values = true)]
    acceptance: Option<String>,
    /// Notes: what is known already
    #[arg(long, allow_hyphen_values = true)]
    notes: Option<String>,
    /// The priority, from 0 (critical) to 4, or P0 to P4
    #[arg(long, short, value_parser = priority)]
    priority: Option<i64>,
    /// The type: task, bug, feature, epic, chore …
    #[arg(long = "type", short = 't')]
    issue_type: Option<String>,
    /// Labels, separated by commas
    #[arg(long, short, visible_alias = "label", value_delimiter = ',')]
    labels: Vec<String>,
    /// The assignee
    #[arg(long, short)]
    assignee: Option<String>,
    /// Beads that must be closed first, separated by commas; `type:id` for other types of dependency
    #[arg(long, value_delimiter = ',')]
    deps: Vec<String>,
    /// The parent: the new id is that id with a number
    #[arg(long)]
    parent: Option<String>,
    /// Use exactly this id
    #[arg(long, conflicts_with = "parent", allow_hyphen_values = true)]
    id: Option<String>,
    /// Not ready before this time: +2d, tomorrow, 2026-02-01
    #[arg(long)]
    defer: Option<String>,
    /// Due at this time: +2d, tomorrow, 2026-02-01
    #[arg(long)]
    due: Option<String>,
    /// Its id in another system, for example gh-9
    #[arg(long)]
    external_ref: Option<String>,
    /// The id of its specification
    #[arg(long)]
    spec_id: Option<String>,
    /// The estimate in minutes
    #[arg(long, short, allow_negative_numbers = true, value_parser = minutes)]
    estimate: Option<u32>,
    /// Metadata for tools, as JSON
    #[arg(long, allow_hyphen_values = true)]
    metadata: Option<String>,
    /// Make it ephemeral: it is not exported, and deleted later
    #[arg(long)]
    ephemeral: bool,
    /// For this rig [default: the one you are in, or the only one]
    #[arg(long)]
    rig: Option<String>,
    /// Print only the id
    #[arg(long)]
    silent: bool,
    /// Only say what would be created
    #[arg(long)]
    dry_run: bool,
    /// Accepted and ignored: every prefix is allowed
    #[arg(long, hide = true)]
    force: bool,
}

/// Runs `gt bead create`.
pub fn create(args: &CreateArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    create_beads(args, args.silent, context, console)
}

/// Hint on titles.
pub const TITLE_HINT: &str = "a title is one line that says what it is";

/// Creates beads; prints only their ids on request.
pub fn create_beads(args: &CreateArgs, only_ids: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let title = args.title.clone().or_else(|| args.title_flag.clone());
    typed::warn_of_past(&[args.defer.as_deref(), args.due.as_deref()], context, console)?;
    if let Some(file) = &args.graph {
        return create_graph(file, args, context, console);
    }
    if let Some(file) = &args.file {
        let text = text_of(file, context)?;
        let new = markdown::beads(&text).into_iter().map(|item| from_item(args, item, context));
        let new = new.collect::<Result<Vec<_>, CliError>>()?;
        if new.is_empty() {
            return Err(CliError::usage("no bead in that file", "each begins with a line `## Title`"));
        }
        return make_all(&new, args, only_ids, context, console);
    }
    match title {
        Some(title) if title.trim().is_empty() => {
            Err(CliError::usage("title is required: the title is empty", TITLE_HINT))
        }
        Some(title) => {
            let new = new_bead(args, &title, context)?;
            if args.dry_run && console.is_json() {
                return console.document(&dry(&new));
            }
            if args.dry_run {
                return say_dry(std::slice::from_ref(&new), console);
            }
            let bead = beads::create(&context.town, &context.caller, &new)?;
            if only_ids {
                console.line(bead.id.as_str())?;
                return Ok(0);
            }
            if console.is_json() {
                return shapes::print(&shapes::bare(&bead), console);
            }
            changed(&[bead], Act::Make, console)
        }
        None if args.stdin => create_lines(args, only_ids, context, console),
        None => Err(CliError::usage(
            "title required: what is it?",
            "bd create \"Title\", or --file, or --stdin with a title a line",
        )),
    }
}

/// Creates all beads of a plan, with the edges between them, or none.
fn create_graph(file: &Path, args: &CreateArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let plan = plan::parse(&text_of(file, context)?)?;
    let mut nodes = Vec::new();
    for node in &plan.nodes {
        nodes.push(from_node(args, node, context)?);
    }
    if args.dry_run {
        let new: Vec<NewBead> = nodes.into_iter().map(|node| node.new).collect();
        return say_dry(&new, console);
    }
    let edges = plan.edges.iter().map(plan::edge).collect::<Result<Vec<_>, CliError>>()?;
    let made = beads::create_graph(&context.town, &context.caller, &nodes, &edges)?;
    if console.is_json() {
        let ids: serde_json::Map<_, _> = made.into_iter().map(|(key, bead)| (key, bead.id.0.into())).collect();
        return console.document(&json!({ "ids": ids }));
    }
    for (key, bead) in &made {
        console.say(&printable(&format!("{key}: {} made: {}", bead.id, bead.title)))?;
    }
    Ok(0)
}

fn from_node(args: &CreateArgs, node: &plan::Node, context: &Context<'_>) -> Result<NewNode, CliError> {
    let mut new = new_bead(args, &node.title, context)?;
    let or = |text: &Option<String>, other: String| text.clone().unwrap_or(other);
    new.id = node.id.as_ref().map(|id| BeadId::from(id.as_str())).or(new.id);
    new.description = or(&node.description, new.description);
    new.acceptance_criteria = or(&node.acceptance_criteria, new.acceptance_criteria);
    new.priority = node.priority.or(new.priority);
    new.issue_type = node.kind.as_ref().map(|word| typed::bead_type(word, context)).transpose()?.or(new.issue_type);
    new.labels.extend(labels(&node.labels));
    new.more.design = node.design.clone().or(new.more.design);
    new.more.notes = node.notes.clone().or(new.more.notes);
    new.more.assignee = node.assignee.clone().map(Some).or(new.more.assignee);
    let metadata = (!node.metadata.is_empty()).then(|| Value::Object(node.metadata.clone()).to_string());
    new.more.rest.extend(rest(node.external_ref.as_deref(), None, node.estimate, metadata.as_deref(), None)?);
    if let Some(parent) = &node.parent_id {
        new.parent = Some(context.town.ledger.read(|view| beads::resolve(view, parent))?);
    }
    let refers = node.metadata_refs.iter().map(|(name, key)| (name.clone(), key.clone())).collect();
    Ok(NewNode { key: node.key.clone(), new, parent: node.parent_key.clone(), refers })
}

/// Creates a bead from each line of standard input, and stores each before it reads the next.
fn create_lines(args: &CreateArgs, only_ids: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let mut args = args.clone();
    args.stdin = false;
    let mut made = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let bead = beads::create(&context.town, &context.caller, &new_bead(&args, line.trim(), context)?)?;
        if only_ids {
            console.line(bead.id.as_str())?;
        } else if console.is_json() {
            made.push(shapes::bare(&bead));
        } else {
            changed(&[bead], Act::Make, console)?;
        }
    }
    if console.is_json() && !only_ids { shapes::print_array(&made, console) } else { Ok(0) }
}

fn make_all(
    new: &[NewBead],
    args: &CreateArgs,
    only_ids: bool,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    if args.dry_run {
        return say_dry(new, console);
    }
    let made = beads::create_all(&context.town, &context.caller, new)?;
    if only_ids {
        for bead in &made {
            console.line(bead.id.as_str())?;
        }
        return Ok(0);
    }
    changed(&made, Act::Make, console)
}

fn say_dry(new: &[NewBead], console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.document(&new.iter().map(dry).collect());
    }
    for new in new {
        console.line(&format!("would make: {}", printable(&new.title)))?;
    }
    Ok(0)
}

/// Describes a bead that a dry run does not create.
fn dry(new: &NewBead) -> Value {
    let kind = new.issue_type.clone().unwrap_or(BeadType::Task);
    json!({
        "title": new.title, "description": new.description, "priority": new.priority.unwrap_or(2),
        "issue_type": kind.as_str(), "labels": new.labels, "dry_run": true,
    })
}

fn new_bead(args: &CreateArgs, title: &str, context: &Context<'_>) -> Result<NewBead, CliError> {
    let rig = args.rig.clone().or_else(|| context.rig_here());
    let description = match (&args.body_file, &args.description) {
        (Some(file), _) => text_of(file, context)?,
        (None, Some(text)) => text_or_stdin(text.clone())?,
        (None, None) if args.stdin => text_or_stdin("-".to_owned())?,
        (None, None) => String::new(),
    };
    let parent = args.parent.as_ref();
    let parent = parent.map(|text| context.town.ledger.read(|view| beads::resolve(view, text))).transpose()?;
    let more = BeadChange {
        design: args.design.clone(),
        notes: args.notes.clone(),
        assignee: args.assignee.clone().map(Some),
        defer_until: args
            .defer
            .as_deref()
            .map(|text| typed::future("--defer", text, context))
            .transpose()?
            .map(|at| Some(at.into())),
        rest: rest(
            args.external_ref.as_deref(),
            args.spec_id.as_deref(),
            args.estimate,
            args.metadata.as_deref(),
            due(args.due.as_deref(), context)?,
        )?,
        ..BeadChange::default()
    };
    let edges = typed::edges(&args.deps, context)?;
    Ok(NewBead {
        prefix: context.town.ledger.read(|view| beads::prefix_for(view, rig.as_deref(), &context.caller))?,
        title: title.to_owned(),
        description,
        acceptance_criteria: args.acceptance.clone().unwrap_or_default(),
        priority: args.priority,
        issue_type: args.issue_type.as_ref().map(|word| typed::bead_type(word, context)).transpose()?,
        labels: labels(&args.labels),
        dependencies: edges.dependencies,
        holds_back: edges.holds_back,
        parent,
        id: args.id.as_ref().map(|id| BeadId::from(id.as_str())),
        ephemeral: args.ephemeral,
        more,
    })
}

/// Builds a bead from an item of a Markdown file. Flags supply what its section lacks.
fn from_item(args: &CreateArgs, item: markdown::Item, context: &Context<'_>) -> Result<NewBead, CliError> {
    let mut new = new_bead(args, &item.title, context)?;
    let or = |text: String, other: String| if text.is_empty() { other } else { text };
    new.description = or(item.description, new.description);
    new.acceptance_criteria = or(item.acceptance, new.acceptance_criteria);
    new.priority = item.priority.or(new.priority);
    new.issue_type = item.issue_type.map(|word| typed::bead_type(&word, context)).transpose()?.or(new.issue_type);
    new.labels.extend(labels(&item.labels));
    new.dependencies.extend(typed::dependencies(&item.dependencies, context)?);
    if !item.design.is_empty() {
        new.more.design = Some(item.design);
    }
    if !item.assignee.is_empty() {
        new.more.assignee = Some(Some(item.assignee));
    }
    Ok(new)
}
