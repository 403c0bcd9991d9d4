//! Verbs that change beads.

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use gt_ledger::BeadChange;
use gt_model::bead::{Bead, BeadType, Status};
use gt_model::id::BeadId;
use gt_town::work::beads::{self, NewBead, NewNode};
use gt_town::{Error, Kind};
use serde_json::{Value, json};

use super::look;
use super::markdown;
use super::metadata;
use super::plan;
use super::shapes;
use super::typed;
use super::words::{self, Act};
use crate::cli::{CreateArgs, EpicVerb, LabelVerb, UpdateArgs};
use crate::console::{Console, Table, printable};
use crate::context::{Context, text_or_stdin};
use crate::error::{CliError, CliResult};

/// Maximum bytes of a text that is read from a file or from standard input.
const TEXT_LIMIT: u64 = 4 * 1024 * 1024;

const TITLE_HINT: &str = "a title is one line that says what it is";

/// Reads a text from a file; `-` is standard input.
pub(super) fn text_of(file: &Path, context: &Context<'_>) -> Result<String, CliError> {
    if file.as_os_str() == "-" {
        return text_or_stdin("-".to_owned());
    }
    let path = context.process.cwd.join(file);
    let disk = context.town.world().disk();
    if disk.exists(&path) && disk.size(&path).map_err(Error::from)? > TEXT_LIMIT {
        return Err(usage(&format!("{} is larger than {TEXT_LIMIT} bytes", path.display()), "give a smaller text"));
    }
    let bytes = disk.read_own(&path).map_err(Error::from)?.ok_or(Error::MissingFile(path))?;
    String::from_utf8(bytes).map_err(|_| usage("that file is no UTF-8", "save it as UTF-8"))
}

pub(super) fn usage(what: &str, hint: &str) -> CliError {
    CliError::Usage { what: what.to_owned(), hint: hint.to_owned() }
}

/// Prints one line for each changed bead, or prints them as an array.
fn changed(beads: &[Bead], act: Act, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return shapes::print_array(&shapes::all_bare(beads), console);
    }
    for bead in beads {
        console.say(&act.line(bead, console))?;
    }
    Ok(0)
}

/// Result of changing one bead.
enum Outcome {
    /// The bead was changed as asked.
    Done(Box<Bead>),
    /// The bead was so already. No change is reported, so that a script does not count one.
    Already(String),
}

/// How to treat texts that name no bead: refuse them one by one or all together.
enum Meant {
    /// Changes no bead if one text names none.
    All,
    /// Changes the other beads all the same.
    Each,
}

/// Changes each bead in order. Reports refusals one by one, and changes the other beads all the same. To `bd` that is success;
/// here the exit code is that of the first refusal.
fn each(
    texts: &[String],
    meant: &Meant,
    act: Act,
    context: &Context<'_>,
    console: &mut Console<'_>,
    mut change: impl FnMut(&BeadId) -> Result<Outcome, CliError>,
) -> CliResult {
    if matches!(meant, Meant::All) {
        beads::resolve_all(&context.town, texts)?;
    }
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for text in texts {
        let id = context.town.ledger.read(|view| beads::resolve(view, text)).map_err(CliError::from);
        match id.and_then(|id| change(&id)) {
            Ok(Outcome::Done(bead)) => done.push(*bead),
            Ok(Outcome::Already(said)) => console.note(&printable(&said))?,
            Err(error) => refused.push(error),
        }
    }
    if texts.len() == 1
        && let Some(only) = refused.pop()
    {
        return Err(only);
    }
    let code = refused.first().map_or(0, CliError::code);
    for error in refused {
        console.refusal(&if console.is_bd() { words::failure(error) } else { error });
    }
    let is_partial = console.is_bd() && !done.is_empty();
    changed(&done, act, console)?;
    Ok(if is_partial { 0 } else { code })
}

/// Runs `create`, and `q`, which prints only ids.
pub fn create(args: &CreateArgs, only_ids: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let only_ids = only_ids || args.silent;
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
            return Err(usage("no bead in that file", "each begins with a line `## Title`"));
        }
        return make_all(&new, args, only_ids, context, console);
    }
    match title {
        Some(title) if title.trim().is_empty() => Err(usage("title is required: the title is empty", TITLE_HINT)),
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
        None => {
            Err(usage("title required: what is it?", "bd create \"Title\", or --file, or --stdin with a title a line"))
        }
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

/// Normalises labels: trimmed, each once, none empty.
fn labels(words: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        if !kept.iter().any(|label| label == word) {
            kept.push(word.to_owned());
        }
    }
    kept
}

/// Parses a due time into its stored form; an empty text clears it.
fn due(text: Option<&str>, context: &Context<'_>) -> Result<Option<String>, CliError> {
    let time = |text: &str| {
        if text.is_empty() { Ok(String::new()) } else { typed::future("--due", text, context).map(|at| at.to_string()) }
    };
    text.map(time).transpose()
}

/// Returns the keys without a field of their own.
fn rest(
    external_ref: Option<&str>,
    spec_id: Option<&str>,
    estimate: Option<u32>,
    metadata: Option<&str>,
    due: Option<String>,
) -> Result<Vec<(String, Option<String>)>, CliError> {
    let mut rest = Vec::new();
    if let Some(time) = due {
        rest.push(("due_at".to_owned(), Some(Value::from(time).to_string()).filter(|raw| raw != "\"\"")));
    }
    if let Some(minutes) = estimate {
        rest.push(("estimated_minutes".to_owned(), Some(minutes.to_string())));
    }
    for (key, name) in [("external_ref", external_ref), ("spec_id", spec_id)] {
        if let Some(name) = name {
            let value = Some(Value::from(name).to_string()).filter(|_| !name.is_empty());
            rest.push((key.to_owned(), value));
        }
    }
    if let Some(text) = metadata {
        let value: Value =
            serde_json::from_str(text).map_err(|error| usage(&format!("--metadata: {error}"), "give JSON"))?;
        rest.push((metadata::KEY.to_owned(), Some(value.to_string())));
    }
    Ok(rest)
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

/// Runs `update`.
pub fn update(args: &UpdateArgs, as_bd: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if args.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
        return Err(usage("title cannot be empty", TITLE_HINT));
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
    let closes = as_bd && status == Some(Status::Closed);
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

/// Runs `close`.
pub fn close(
    ids: &[String],
    reason: Option<&str>,
    force: bool,
    suggest_next: bool,
    as_bd: bool,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    if !suggest_next {
        return each(ids, &Meant::All, Act::Close, context, console, |id| {
            close_one(id, reason, force, as_bd, context).map(|bead| Outcome::Done(Box::new(bead)))
        });
    }
    let now = context.town.world().clock().now();
    let mut closed = Vec::new();
    let mut freed: Vec<Bead> = Vec::new();
    for id in beads::resolve_all(&context.town, ids)? {
        closed.push(close_one(&id, reason, force, as_bd, context)?);
        freed.extend(context.town.ledger.read(|view| beads::freed_by(view, now, &id))?);
    }
    if console.is_json() {
        if freed.is_empty() {
            return shapes::print_array(&shapes::all_bare(&closed), console);
        }
        let (closed, freed) = (shapes::all_bare(&closed).join(","), shapes::all_bare(&freed).join(","));
        return shapes::print(&format!("{{\"closed\":[{closed}],\"unblocked\":[{freed}]}}"), console);
    }
    changed(&closed, Act::Close, console)?;
    for bead in &freed {
        console.say(&format!("{} is ready now: {}", bead.id, printable(&bead.title)))?;
    }
    Ok(0)
}

/// Closes a bead. For `bd`, closing a closed bead changes nothing and succeeds, so that its callers can retry.
fn close_one(
    id: &BeadId,
    reason: Option<&str>,
    force: bool,
    as_bd: bool,
    context: &Context<'_>,
) -> Result<Bead, CliError> {
    let before = context.town.ledger.read(|view| beads::require(view, id))?;
    if as_bd && before.status == Status::Closed {
        return Ok(before);
    }
    Ok(beads::close(&context.town, &context.caller, id, reason, force)?)
}

/// Runs `reopen`.
pub fn reopen(ids: &[String], reason: Option<&str>, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let as_bd = console.is_bd();
    each(ids, &Meant::Each, Act::Reopen, context, console, |id| {
        let before = context.town.ledger.read(|view| beads::require(view, id))?;
        if as_bd && before.status == Status::Open {
            return Ok(Outcome::Already(format!("{id} is already open")));
        }
        Ok(Outcome::Done(Box::new(beads::reopen(&context.town, &context.caller, id, reason)?)))
    })
}

/// Runs `defer`.
pub fn defer(ids: &[String], until: Option<&str>, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    typed::warn_of_past(&[until], context, console)?;
    let until = until.map(|text| typed::future("--until", text, context)).transpose()?;
    each(ids, &Meant::All, Act::Defer, context, console, |id| {
        Ok(Outcome::Done(Box::new(beads::defer(&context.town, &context.caller, id, until)?)))
    })
}

/// Runs `undefer`.
pub fn undefer(ids: &[String], context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    each(ids, &Meant::All, Act::Undefer, context, console, |id| {
        let before = context.town.ledger.read(|view| beads::require(view, id))?;
        if before.status != Status::Deferred && before.defer_until.is_none() {
            return Ok(Outcome::Already(format!("{id} is not deferred: it is {}", before.status)));
        }
        Ok(Outcome::Done(Box::new(beads::undefer(&context.town, &context.caller, id)?)))
    })
}

/// Runs `delete`.
pub fn delete(
    ids: &[String],
    force: bool,
    dry_run: bool,
    reason: Option<&str>,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    let ids = beads::resolve_all(&context.town, ids).map_err(|error| match error {
        Error::UnknownBead(id) if console.is_bd() => {
            usage(&format!("issue `{id}` not found"), "bd list shows what there is")
        }
        error => error.into(),
    })?;
    let found = context
        .town
        .ledger
        .read(|view| ids.iter().map(|id| beads::require(view, id)).collect::<Result<Vec<_>, Error>>())?;
    if dry_run {
        return preview(&found, console);
    }
    // `bd` shows what it would delete, and asks for no confirmation.
    if !force && console.is_bd() && !console.is_json() && !console.is_terminal() {
        console.line("DELETE PREVIEW: nothing was deleted, --force deletes")?;
        return preview(&found, console);
    }
    if !force && !is_wanted(&found, console)? {
        let what = format!("{} not deleted", if ids.len() == 1 { ids[0].0.clone() } else { "nothing was".to_owned() });
        return Err(Error::refused(what, "say --force to delete without being asked").into());
    }
    for id in &ids {
        beads::delete(&context.town, &context.caller, id, reason)?;
    }
    if console.is_json() {
        return console.document(&match ids.as_slice() {
            [one] => json!({ "deleted": one, "deleted_count": 1 }),
            all => json!({ "deleted": all, "deleted_count": all.len() }),
        });
    }
    for bead in &found {
        let (id, title) = (printable(bead.id.as_str()), printable(&bead.title));
        let back = format!("(bd reopen {id} brings it back)");
        words::say(console, &format!("{id} deleted: {title} {back}"), &format!("✓ Deleted {id} — {title} {back}"))?;
    }
    Ok(0)
}

/// Prints what would be deleted.
fn preview(found: &[Bead], console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        let ids: Vec<&BeadId> = found.iter().map(|bead| &bead.id).collect();
        return console.document(&json!({ "would_delete": ids, "count": ids.len() }));
    }
    for bead in found {
        console.line(&format!("would delete {}: {}", bead.id, printable(&bead.title)))?;
    }
    Ok(0)
}

/// Asks a person for confirmation. The answer is no where no person can be asked.
fn is_wanted(found: &[Bead], console: &mut Console<'_>) -> Result<bool, CliError> {
    if console.is_json() || !console.is_terminal() || !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    for bead in found {
        console.line(&format!("{}  {}", bead.id, printable(&bead.title)))?;
    }
    console.line("delete? [y/N]")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Runs `ready --claim`: claims the first bead that no other caller claims first.
pub fn claim_first(found: &[Bead], context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    for bead in found {
        match beads::claim(&context.town, &context.caller, &bead.id) {
            Ok(claimed) if console.is_json() => return look::print_beads(vec![claimed], context, console),
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

/// Runs `label`.
pub fn label(verb: LabelVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        LabelVerb::Add { words } => set_label(&words, true, context, console),
        LabelVerb::Remove { words } => set_label(&words, false, context, console),
        LabelVerb::List { bead } => {
            let bead = context.town.ledger.read(|view| beads::require(view, &beads::resolve(view, &bead)?))?;
            if console.is_json() {
                return console.document(&json!(bead.labels));
            }
            for label in &bead.labels {
                console.line(&printable(label))?;
            }
            Ok(0)
        }
        LabelVerb::ListAll => {
            let all = context.town.ledger.read(|view| view.labels().map_err(Error::from))?;
            if console.is_json() {
                let list: Vec<Value> =
                    all.iter().map(|(label, count)| json!({ "label": label, "count": count })).collect();
                return console.document(&Value::from(list));
            }
            let mut table = Table::new(&["LABEL", "BEADS"]);
            for (label, count) in &all {
                table.row([label.clone(), count.to_string()]);
            }
            console.table(&table)?;
            Ok(0)
        }
    }
}

fn set_label(words: &[String], add: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let Some((label, ids)) = words.split_last() else { return Ok(2) };
    let label = label.trim();
    if ids.is_empty() {
        return Err(usage("a bead and a label, please", "bd label add <bead> <label>"));
    }
    if label.is_empty() {
        return Err(usage("a label cannot be empty", "bd label add <bead> <label>"));
    }
    let one = vec![label.to_owned()];
    let change = if add {
        BeadChange { add_labels: one, ..BeadChange::default() }
    } else {
        BeadChange { remove_labels: one, ..BeadChange::default() }
    };
    let word = if add { "added" } else { "removed" };
    let ids = beads::resolve_all(&context.town, ids)?;
    for id in &ids {
        beads::update(&context.town, &context.caller, id, &change)?;
    }
    if console.is_json() {
        let list: Vec<Value> = ids.iter().map(|id| json!({ "status": word, "issue_id": id, "label": label })).collect();
        return console.document(&Value::from(list));
    }
    for id in &ids {
        let (id, label) = (printable(id.as_str()), printable(label));
        let as_bd = if add {
            format!("✓ Added label '{label}' to {id}")
        } else {
            format!("✓ Removed label '{label}' from {id}")
        };
        words::say(console, &format!("{id}: label {label} {word}"), &as_bd)?;
    }
    Ok(0)
}

/// Runs `epic`.
pub fn epic(verb: &EpicVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let only_done = match verb {
        EpicVerb::Status { eligible_only } => *eligible_only,
        EpicVerb::CloseEligible { dry_run: true } => true,
        EpicVerb::CloseEligible { dry_run: false } => return close_epics(context, console),
    };
    let mut epics = context.town.ledger.read(|view| view.epics().map_err(Error::from))?;
    epics.retain(|epic| !only_done || epic.is_done());
    if console.is_json() {
        let one = |epic: &gt_ledger::EpicStatus| {
            format!(
                "{{\"epic\":{},\"total_children\":{},\"closed_children\":{},\"eligible_for_close\":{}}}",
                shapes::bare(&epic.epic),
                epic.children,
                epic.closed,
                epic.is_done()
            )
        };
        return shapes::print_array(&epics.iter().map(one).collect::<Vec<_>>(), console);
    }
    let mut table = Table::new(&["EPIC", "CLOSED", "OF", "TITLE"]);
    for epic in &epics {
        let id = epic.epic.id.0.clone();
        table.row([id, epic.closed.to_string(), epic.children.to_string(), epic.epic.title.clone()]);
    }
    console.table(&table)?;
    Ok(0)
}

fn close_epics(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let closed = beads::close_done_epics(&context.town, &context.caller)?;
    if console.is_json() {
        let ids: Vec<&BeadId> = closed.iter().map(|bead| &bead.id).collect();
        return console.document(&json!({ "closed": ids, "count": ids.len() }));
    }
    if closed.is_empty() {
        console.say("no epic is to be closed")?;
    }
    changed(&closed, Act::Close, console)
}
