//! Beads.

use gt_model::bead::{Bead, BeadType, DepType, Status};
use gt_model::id::BeadId;
use gt_model::jsonl;
use gt_town::Error;
use gt_town::beads::{self, NewBead};
use gt_town::ledger::{BeadChange, BeadFilter};
use gt_town::port::{self, ExportFilter};
use serde_json::Value;

use super::{Context, text_or_stdin};
use crate::cli::{BeadVerb, DepVerb};
use crate::console::{Console, Table, printable, printable_lines};
use crate::error::{CliError, CliResult};

/// `gt bead …`, or `bd …`.
pub fn run(verb: BeadVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        BeadVerb::Create { title, description, acceptance, priority, issue_type, labels, deps, rig } => {
            let rig = rig.or_else(|| context.rig_here());
            let new = NewBead {
                prefix: context.town.ledger.read(|view| beads::prefix_for(view, rig.as_deref(), &context.caller))?,
                title,
                description: text_or_stdin(description)?,
                acceptance_criteria: acceptance,
                priority,
                issue_type: issue_type.map(|word| BeadType::from(word.as_str())),
                labels,
                dependencies: dependencies(context, &deps)?,
                ..NewBead::default()
            };
            let bead = beads::create(&context.town, &context.caller, &new)?;
            changed(&bead, "made", console)
        }
        BeadVerb::Show { ids } => show(context, &ids, console),
        BeadVerb::List { status, issue_type, assignee, label, rig, all, limit } => {
            let filter = BeadFilter {
                status: status.map(|word| Status::from(word.as_str())),
                issue_type: issue_type.map(|word| BeadType::from(word.as_str())),
                assignee,
                label,
                prefix: prefix_of(context, rig.as_deref())?,
                all,
                limit,
                ..BeadFilter::default()
            };
            let mut found = context.town.ledger.read(|view| view.beads(&filter).map_err(Error::from))?;
            if !all && filter.issue_type.is_none() {
                found.retain(|bead| bead.issue_type != BeadType::Message);
            }
            list(&found, console)
        }
        BeadVerb::Ready { rig, limit } => {
            let prefix = prefix_of(context, rig.as_deref())?;
            let now = context.town.world().clock().now();
            let ready =
                context.town.ledger.read(|view| view.ready(now, prefix.as_deref(), limit).map_err(Error::from))?;
            list(&ready, console)
        }
        BeadVerb::Close { ids, reason, force } => {
            for id in beads::resolve_all(&context.town, &ids)? {
                let bead = beads::close(&context.town, &context.caller, &id, reason.as_deref(), force)?;
                changed(&bead, "closed", console)?;
            }
            Ok(0)
        }
        BeadVerb::Dep(verb) => dep(verb, context, console),
        BeadVerb::Import { file, salvage } => import(context, &file, salvage, console),
        BeadVerb::Export { rig } => {
            let prefix = prefix_of(context, rig.as_deref())?;
            let what = ExportFilter { prefixes: prefix.into_iter().collect(), wisps: false };
            let text = context.town.ledger.read(|view| port::export(view, &what))?;
            console.out().write_all(text.as_bytes())?;
            Ok(0)
        }
        update @ BeadVerb::Update { .. } => self::update(update, context, console),
    }
}

fn prefix_of(context: &Context<'_>, rig: Option<&str>) -> Result<Option<String>, CliError> {
    Ok(rig.map(|name| context.town.rig(name)).transpose()?.map(|rig| rig.row.prefix))
}

/// Reads `id` or `type:id`.
fn dependencies(context: &Context<'_>, texts: &[String]) -> Result<Vec<(DepType, BeadId)>, CliError> {
    let one = |text: &String| {
        let (kind, id) = text.split_once(':').unwrap_or(("blocks", text));
        let id = context.town.ledger.read(|view| beads::resolve(view, id))?;
        Ok((DepType::from(kind), id))
    };
    texts.iter().filter(|text| !text.is_empty()).map(one).collect()
}

/// A bead as the JSONL format has it.
fn json(bead: &Bead) -> Value {
    serde_json::from_str(&jsonl::write_bead(bead)).unwrap_or(Value::Null)
}

fn changed(bead: &Bead, word: &str, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.document(&json(bead));
    }
    console.say(&format!("{} {word}: {}", bead.id, printable(&bead.title)))?;
    Ok(0)
}

fn list(found: &[Bead], console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.document(&found.iter().map(json).collect());
    }
    let mut table = Table::new(&["BEAD", "P", "TYPE", "STATUS", "HOLDER", "TITLE"]);
    for bead in found {
        table.row([
            bead.id.0.clone(),
            bead.priority.to_string(),
            bead.issue_type.to_string(),
            bead.status.to_string(),
            bead.assignee.clone().unwrap_or_default(),
            bead.title.clone(),
        ]);
    }
    console.table(&table)?;
    Ok(0)
}

fn show(context: &Context<'_>, ids: &[String], console: &mut Console<'_>) -> CliResult {
    let ids = beads::resolve_all(&context.town, ids)?;
    let found = context
        .town
        .ledger
        .read(|view| ids.iter().map(|id| beads::require(view, id)).collect::<Result<Vec<_>, Error>>())?;
    if console.is_json() {
        return console.document(&found.iter().map(json).collect());
    }
    for bead in &found {
        say_bead(bead, console)?;
    }
    Ok(0)
}

fn say_bead(bead: &Bead, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("{}  {}", bead.id, printable(&bead.title)))?;
    let holder = bead.assignee.as_deref().map(|a| format!(", held by {a}")).unwrap_or_default();
    console.line(&format!("{} {} of priority {}{holder}", bead.status, bead.issue_type, bead.priority))?;
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
    for dep in &bead.dependencies {
        console.line(&format!("{} {}", dep.kind, dep.depends_on_id))?;
    }
    for comment in &bead.comments {
        console.line(&format!("{} ({}): {}", comment.author, comment.created_at, printable_lines(&comment.text)))?;
    }
    Ok(())
}

fn update(verb: BeadVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let BeadVerb::Update {
        id,
        title,
        description,
        design,
        acceptance,
        notes,
        status,
        priority,
        issue_type,
        assignee,
        add_label,
        remove_label,
    } = verb
    else {
        return Ok(0);
    };
    let change = BeadChange {
        title,
        description: description.map(text_or_stdin).transpose()?,
        design,
        acceptance_criteria: acceptance,
        notes: notes.map(text_or_stdin).transpose()?,
        status: status.map(|word| Status::from(word.as_str())),
        priority,
        issue_type: issue_type.map(|word| BeadType::from(word.as_str())),
        assignee: assignee.map(|name| if name.is_empty() { None } else { Some(name) }),
        add_labels: add_label,
        remove_labels: remove_label,
        ..BeadChange::default()
    };
    let id = context.town.ledger.read(|view| beads::resolve(view, &id))?;
    let bead = beads::update(&context.town, &context.caller, &id, &change)?;
    changed(&bead, "changed", console)
}

fn dep(verb: DepVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let one = |text: &str| context.town.ledger.read(|view| beads::resolve(view, text));
    match verb {
        DepVerb::Add { bead, on, kind } => {
            let (bead, on) = (one(&bead)?, one(&on)?);
            let kind = DepType::from(kind.as_str());
            let after = beads::add_dependency(&context.town, &context.caller, &bead, &on, &kind)?;
            changed(&after, &format!("{kind} {on}"), console)
        }
        DepVerb::Remove { bead, on } => {
            let (bead, on) = (one(&bead)?, one(&on)?);
            let after = beads::remove_dependency(&context.town, &context.caller, &bead, &on)?;
            changed(&after, &format!("no longer depends on {on}"), console)
        }
    }
}

fn import(context: &Context<'_>, file: &std::path::Path, salvage: bool, console: &mut Console<'_>) -> CliResult {
    let text = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)?;
        bytes
    } else {
        let path = context.process.cwd.join(file);
        let read = context.town.world().disk().read(&path).map_err(Error::from)?;
        read.ok_or_else(|| Error::MissingFile(path))?
    };
    let done = port::import(&context.town, &context.caller, &text, salvage)?;
    for line in &done.bad_lines {
        console.note(&format!("not taken: {}", printable(line)))?;
    }
    if console.is_json() {
        return console.facts("gt.import/1", "imported", done);
    }
    console.say(&format!("{} beads added, {} updated, {} kept as they were", done.added, done.updated, done.kept))?;
    for id in &done.held {
        console.say(&format!("{id} is being worked on here: not touched"))?;
    }
    Ok(0)
}
